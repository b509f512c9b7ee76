// The messages of a chat, checked and brought into the one form that templates take.
#pragma once

#include <string>

#include "base/json.h"

namespace tulou::serve {

// `value` is the request's list. Error request.*, naming for example messages[2].content[0].type.
base::Json read_messages(const base::Json& value, const std::string& path);

}  // namespace tulou::serve
