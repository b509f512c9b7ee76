// The forms of a benchmark's results; see bench_report.h.
#include "cli/bench_report.h"

#include <algorithm>

#include "base/assert.h"
#include "base/json_value.h"
#include "base/number.h"

namespace tulou::cli {

namespace {

using base::fixed;
using base::Json;
using base::to_text;
using nn::Precision;

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string right(const std::string& text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string seconds_text(double seconds) { return fixed(seconds, 2) + " s"; }

std::string percent(double part) { return fixed(100 * part, 0) + " %"; }

std::string speed_text(double bytes_per_second) {
  return fixed(bytes_per_second / 1e9, 1) + " GB/s";
}

Json optional_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json measurement_json(const BenchReport& report, const Measurement& measurement) {
  const std::vector<double> speeds = measurement.tokens_per_second();
  const Spread spread = spread_of(speeds);
  Json samples = Json::array();
  for (size_t i = 0; i < speeds.size(); ++i) {
    samples.push_back({{"seconds", measurement.samples[i].seconds},
                       {"tokens_per_second", speeds[i]},
                       {"others", optional_json(measurement.samples[i].others)}});
  }
  const bool counted = measurement.bytes_per_token > 0;
  return {
      {"name", measurement.name()},
      {"what", measurement.kind == BenchKind::kPrefill ? "prefill" : "decode"},
      {"tokens", measurement.tokens},
      {"depth", measurement.depth},
      {"batch", measurement.batch},
      {"tokens_per_second", {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}},
      {"bytes_per_token", counted ? Json(measurement.bytes_per_token) : Json(nullptr)},
      {"bandwidth_share", optional_json(report.bandwidth_share(measurement))},
      {"samples", samples}};
}

Json groups_json(const std::vector<WeightGroup>& groups) {
  Json json = Json::array();
  for (const WeightGroup& group : groups) {
    json.push_back({{"group", group.name},
                    {"type", group.type},
                    {"kernel", group.kernel},
                    {"matrices", group.matrices},
                    {"bytes", group.bytes},
                    {"bytes_per_token", group.bytes_per_token}});
  }
  return json;
}

std::string groups_table(const std::vector<WeightGroup>& groups) {
  std::string text = padded("weights", 24) + padded("type", 10) + right("matrices", 9) +
                     right("memory", 12) + "  kernel\n";
  for (const WeightGroup& group : groups) {
    text += padded(group.name, 24) + padded(group.type, 10) + right(to_text(group.matrices), 9) +
            right(base::human_bytes(group.bytes), 12) + "  " + group.kernel + "\n";
  }
  return text;
}

std::string measurements_table(const BenchReport& report) {
  std::string text = padded("tokens per second", 40) + right("median", 10) + right("min", 10) +
                     right("max", 10) + right("of bandwidth", 15) + "\n";
  for (const Measurement& measurement : report.measurements) {
    const Spread spread = spread_of(measurement.tokens_per_second());
    const std::optional<double> share = report.bandwidth_share(measurement);
    text += padded(measurement.name(), 40) + right(fixed(spread.median, 1), 10) +
            right(fixed(spread.min, 1), 10) + right(fixed(spread.max, 1), 10) +
            right(share ? percent(*share) : "", 15) + "\n";
  }
  return text;
}

std::string_view precision_name(const BenchReport& report) {
  return report.precision == Precision::kExact ? "exact" : "default";
}

}  // namespace

Spread spread_of(std::span<const double> values) {
  ASSERT(!values.empty());
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  const double median =
      sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median, sorted.front(), sorted.back()};
}

std::string Measurement::name() const {
  std::string text = (kind == BenchKind::kPrefill ? "prefill " : "decode ") + to_text(tokens);
  if (depth > 0) text += " at depth " + to_text(depth);
  if (batch > 1) text += ", " + to_text(batch) + " sequences";
  return text;
}

std::vector<double> Measurement::tokens_per_second() const {
  std::vector<double> speeds;
  for (const BenchSample& sample : samples)
    speeds.push_back(static_cast<double>(tokens * batch) / std::max(sample.seconds, 1e-9));
  return speeds;
}

std::optional<double> BenchReport::bandwidth_share(const Measurement& measurement) const {
  if (bandwidth <= 0 || measurement.bytes_per_token == 0) return std::nullopt;
  const double speed = spread_of(measurement.tokens_per_second()).median;
  return static_cast<double>(measurement.bytes_per_token) * speed / bandwidth;
}

std::string measurement_line(const Measurement& measurement) {
  const Spread spread = spread_of(measurement.tokens_per_second());
  return measurement.name() + ": from " + fixed(spread.min, 1) + " to " + fixed(spread.max, 1) +
         ", median " + fixed(spread.median, 1) + " tok/s";
}

std::string bench_notes(const BenchReport& report) {
  std::string text = "load " + seconds_text(report.load_seconds) + ", first token after " +
                     seconds_text(report.first_token_seconds) + " (prompt of " +
                     to_text(report.first_token_prompt) + "), peak memory " +
                     base::human_bytes(report.peak_memory_bytes) + "\n";
  for (const WeightGroup& group : report.groups) {
    text += "weights: " + group.name + ", " + group.type + ", " + base::human_bytes(group.bytes) +
            ", kernel " + group.kernel + "\n";
  }
  if (report.bandwidth > 0) text += "memory bandwidth " + speed_text(report.bandwidth) + "\n";
  for (const Measurement& measurement : report.measurements) {
    if (const std::optional<double> share = report.bandwidth_share(measurement))
      text += measurement.name() + ": " + base::human_bytes(measurement.bytes_per_token) +
              " a token, " + percent(*share) + " of the bandwidth\n";
  }
  return text;
}

std::string bench_table(const BenchReport& report) {
  const auto line = [](const std::string& name, const std::string& value) {
    return padded(name, 24) + value + "\n";
  };
  std::string text = line("model", base::printable(report.model) + " (" + report.family + ")");
  text += line("machine", base::printable(report.processor) + ", " + to_text(report.processors) +
                              " processors, " + base::human_bytes(report.memory_bytes));
  text +=
      line("kernels", report.level + ", " + to_text(report.threads) + " threads, precision " +
                          std::string(precision_name(report)) +
                          (report.precision == Precision::kBf16Prefill ? ", prefill bf16" : ""));
  text += line("load", seconds_text(report.load_seconds));
  text += line("first token", seconds_text(report.first_token_seconds) + " (load, prompt of " +
                                  to_text(report.first_token_prompt) + " tokens)");
  text += line("peak memory", base::human_bytes(report.peak_memory_bytes));
  text += line("memory bandwidth", report.bandwidth > 0 ? speed_text(report.bandwidth) : "no room");
  return text + "\n" + groups_table(report.groups) + "\n" + measurements_table(report);
}

Json bench_json(const BenchReport& report) {
  Json measurements = Json::array();
  for (const Measurement& measurement : report.measurements)
    measurements.push_back(measurement_json(report, measurement));
  return {
      {"version", TULOU_VERSION},
      {"model", report.model},
      {"family", report.family},
      {"machine",
       {{"processor", report.processor},
        {"processors", report.processors},
        {"memory_bytes", report.memory_bytes}}},
      {"level", report.level},
      {"threads", report.threads},
      {"precision", precision_name(report)},
      {"prefill", report.precision == Precision::kBf16Prefill ? "bf16" : "default"},
      {"cache_bytes_per_token", report.cache_bytes_per_token},
      {"state_bytes", report.state_bytes},
      {"load_seconds", report.load_seconds},
      {"first_token_prompt", report.first_token_prompt},
      {"first_token_seconds", report.first_token_seconds},
      {"peak_memory_bytes", report.peak_memory_bytes},
      {"bandwidth_bytes_per_second", report.bandwidth > 0 ? Json(report.bandwidth) : Json(nullptr)},
      {"others_before", optional_json(report.others_before)},
      {"others_during", optional_json(report.others_during)},
      {"weights", groups_json(report.groups)},
      {"measurements", measurements}};
}

}  // namespace tulou::cli
