// The head of a response to a request for `name` (empty: the model's first name).
#pragma once

#include <string>
#include <string_view>

#include "serve/answer.h"
#include "serve/loaded_model.h"

namespace tulou::serve {

ResponseHead response_head(std::string_view id_prefix, const LoadedModel& model,
                           const std::string& name);

}  // namespace tulou::serve
