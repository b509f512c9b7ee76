// Frames of a text/event-stream (HTML Living Standard, "Server-sent events").
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace tulou::serve {

// One event; the value is written on one line.
std::string sse_data(const base::Json& value);
// The end of an OpenAI stream.
std::string sse_done();
// A comment that keeps a silent connection open.
std::string sse_ping();

}  // namespace tulou::serve
