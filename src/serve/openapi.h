// /openapi.json: what the server takes and answers, made from the same tables that read requests.
#pragma once

#include <string>

#include "base/json.h"

namespace tulou::serve {

// OpenAPI 3.1. `version` is the program's.
base::Json openapi(const std::string& version);

}  // namespace tulou::serve
