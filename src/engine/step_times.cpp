#include "engine/step_times.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

namespace tulou::engine {
namespace {

constexpr int64_t kMeasurableRows = 32;

void average(double& value, double sample) {
  value = value <= 0 ? sample : 0.8 * value + 0.2 * sample;
}

}  // namespace

void StepTimes::measure(int64_t generating, int64_t prompt_rows, double seconds) {
  if (generating == 0) {
    if (prompt_rows >= kMeasurableRows)
      average(prompt_row_, seconds / static_cast<double>(prompt_rows));
    return;
  }
  if (prompt_rows == 0) {
    average(decode_[static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(generating)))],
            seconds);
    return;
  }
  const double alone = decode_seconds(generating);
  if (alone <= 0 || prompt_row_ <= 0) return;
  // Few rows cost more each than many; never less than that.
  const double each = (seconds - alone) / static_cast<double>(prompt_rows);
  average(mixed_row_, std::max(each, prompt_row_));
}

// Of a step without prompts: as measured with so many sequences or the next fewer that are known,
// and for each more the arithmetic of a row. 0: not known yet.
double StepTimes::decode_seconds(int64_t generating) const {
  const auto above = decode_.upper_bound(generating);
  if (above == decode_.begin()) return decode_.empty() ? 0 : above->second;
  const auto& [measured, seconds] = *std::prev(above);
  return seconds + static_cast<double>(generating - measured) * prompt_row_;
}

int64_t StepTimes::prompt_rows(int64_t generating, int64_t waiting, int64_t most) const {
  const double alone = decode_seconds(generating);
  if (generating == 0 || alone <= 0 || prompt_row_ <= 0) return most;
  double seconds = kPromptShare * alone;
  if (waiting > generating) seconds = std::max(seconds, kLongestShare);
  const double each = mixed_row_ > 0 ? mixed_row_ : prompt_row_;
  return std::clamp(static_cast<int64_t>(std::llround(seconds / each)),
                    std::min(kFewestPromptRows, most), most);
}

}  // namespace tulou::engine
