#include "serve/stop_request.h"

#include "base/json_value.h"

namespace tulou::serve {

const FieldTable<StopRequest>& stop_fields() {
  static const FieldTable<StopRequest> table({
      string_field("model", &StopRequest::model, 0, 1024,
                   "Unload this model when its answers are done. Without it the server ends."),
  });
  return table;
}

StopRequest parse_stop_request(std::string_view body) {
  StopRequest request;
  stop_fields().read(parse_body(body), request);
  return request;
}

}  // namespace tulou::serve
