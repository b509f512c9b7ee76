// The picture of a benchmark; see bench_svg.h.
#include "cli/bench_svg.h"

#include <algorithm>

#include "base/number.h"

namespace tulou::cli {

namespace {

using base::fixed;
using base::to_text;

constexpr int kWidth = 720, kMargin = 16;
constexpr int kBarLeft = 230, kBarRight = 600;  // bars between, values behind
constexpr int kRow = 28, kBar = 16;
constexpr int kTop = 64;

constexpr const char* kStyle =
    "<style>\n"
    "  text { font: 13px sans-serif; fill: #1f2328; }\n"
    "  .title { font-size: 16px; font-weight: bold; }\n"
    "  .small { fill: #59636e; font-size: 12px; }\n"
    "  .ground { fill: #ffffff; }\n"
    "  .bar { fill: #2f81c7; }\n"
    "  .spread { stroke: #1f2328; stroke-width: 1.5; }\n"
    "  @media (prefers-color-scheme: dark) {\n"
    "    text { fill: #e6edf3; }\n"
    "    .small { fill: #9198a1; }\n"
    "    .ground { fill: #0d1117; }\n"
    "    .bar { fill: #388bd6; }\n"
    "    .spread { stroke: #e6edf3; }\n"
    "  }\n"
    "</style>\n";

std::string text_at(int x, int y, const char* style, const std::string& text) {
  return "<text x=\"" + to_text(x) + "\" y=\"" + to_text(y) + "\"" +
         (*style == '\0' ? "" : " class=\"" + std::string(style) + "\"") + ">" + svg_text(text) +
         "</text>\n";
}

std::string line_between(double x1, double y1, double x2, double y2) {
  return "<line class=\"spread\" x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) + "\" x2=\"" +
         fixed(x2, 1) + "\" y2=\"" + fixed(y2, 1) + "\"/>\n";
}

std::string bar_of(const Measurement& measurement, double greatest, int y) {
  const Spread spread = spread_of(measurement.tokens_per_second());
  const double scale = (kBarRight - kBarLeft) / greatest;
  const double low = kBarLeft + spread.min * scale, high = kBarLeft + spread.max * scale;
  const double middle = y + kRow / 2.0;
  std::string text = text_at(kMargin, y + kRow / 2 + 5, "", measurement.name());
  text += "<rect class=\"bar\" x=\"" + to_text(kBarLeft) + "\" y=\"" +
          to_text(y + (kRow - kBar) / 2) + "\" width=\"" + fixed(spread.median * scale, 1) +
          "\" height=\"" + to_text(kBar) + "\"/>\n";
  text += line_between(low, middle, high, middle);
  for (const double end : {low, high}) text += line_between(end, middle - 4, end, middle + 4);
  return text + text_at(kBarRight + 10, y + kRow / 2 + 5, "", fixed(spread.median, 1) + " tok/s");
}

// The part of one kind: a bar for each of its measurements from `y` on, which moves below them.
std::string bars_of(const BenchReport& report, BenchKind kind, int& y) {
  double greatest = 0;
  for (const Measurement& measurement : report.measurements) {
    if (measurement.kind == kind)
      greatest = std::max(greatest, spread_of(measurement.tokens_per_second()).max);
  }
  std::string text;
  if (greatest <= 0) return text;
  for (const Measurement& measurement : report.measurements) {
    if (measurement.kind != kind) continue;
    text += bar_of(measurement, greatest, y);
    y += kRow;
  }
  y += kRow / 2;
  return text;
}

}  // namespace

std::string svg_text(std::string_view text) {
  std::string escaped;
  for (const char c : base::printable(text)) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string bench_svg(const BenchReport& report) {
  int y = kTop;
  std::string bars = bars_of(report, BenchKind::kPrefill, y);
  bars += bars_of(report, BenchKind::kDecode, y);
  const std::string name = report.model.substr(report.model.find_last_of('/') + 1);
  const size_t repeats =
      report.measurements.empty() ? 0 : report.measurements.front().samples.size();
  y += kRow / 2;
  const std::string size = to_text(kWidth) + "\" height=\"" + to_text(y);
  std::string text = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + size +
                     "\" viewBox=\"0 0 " + to_text(kWidth) + " " + to_text(y) +
                     "\" role=\"img\">\n<title>" + svg_text("Speed of " + name) + "</title>\n";
  text += kStyle;
  text += "<rect class=\"ground\" width=\"" + size + "\"/>\n";
  text += text_at(kMargin, 28, "title", name.empty() ? report.model : name);
  text +=
      text_at(kMargin, 48, "small",
              report.processor + ", " + report.level + ", " + to_text(report.threads) + " threads");
  text += text_at(kMargin, y - 10, "small",
                  "bar: median of " + to_text(repeats) + "; line: from the least to the greatest");
  return text + bars + "</svg>\n";
}

}  // namespace tulou::cli
