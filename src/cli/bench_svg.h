// The results of a benchmark as a picture.
#pragma once

#include <string>

#include "cli/bench_report.h"

namespace tulou::cli {

// A whole SVG document without scripts or references: a bar for each measurement with its median
// and a line from the least to the greatest; prefill and decode each have their own scale. Its
// colours follow the reader's light or dark theme.
std::string bench_svg(const BenchReport& report);

// Text for the inside of an SVG element: markup and control characters are escaped.
std::string svg_text(std::string_view text);

}  // namespace tulou::cli
