#include "serve/sse.h"

namespace tulou::serve {

// JSON text has no line ends of its own: they are escaped in strings.
std::string sse_data(const base::Json& value) {
  return "data: " + base::to_json_text(value) + "\n\n";
}

std::string sse_done() { return "data: [DONE]\n\n"; }

std::string sse_ping() { return ": ping\n\n"; }

}  // namespace tulou::serve
