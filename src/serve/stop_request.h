// The body of POST /tulou/stop.
#pragma once

#include <string>
#include <string_view>

#include "serve/field.h"

namespace tulou::serve {

struct StopRequest {
  std::string model;  // only this one is unloaded; empty: the server ends
};
const FieldTable<StopRequest>& stop_fields();
// Error request.*, json.*.
StopRequest parse_stop_request(std::string_view body);

}  // namespace tulou::serve
