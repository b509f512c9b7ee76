#include "hardware/load.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#include "base/number.h"

namespace tulou::hardware {
namespace {

double seconds_of(clockid_t clock) {
  timespec time = {};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The number of KiB behind `key` in a file of lines "Key:   123 kB", as bytes; 0 if it is not
// there.
uint64_t kib_behind(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream words(line.substr(key.size()));
    std::string number;
    words >> number;
    return base::parse_uint(number).value_or(0) * 1024;
  }
  return 0;
}

}  // namespace

std::optional<uint64_t> busy_ticks(std::string_view proc_stat) {
  std::istringstream words{std::string(proc_stat.substr(0, proc_stat.find('\n')))};
  std::string word;
  words >> word;
  if (word != "cpu") return std::nullopt;
  // user nice system idle iowait irq softirq steal, see proc(5).
  uint64_t busy = 0;
  for (int i = 0; i < 8; ++i) {
    words >> word;
    const std::optional<uint64_t> ticks = base::parse_uint(word);
    if (!words || !ticks) return std::nullopt;
    if (i != 3 && i != 4) busy += *ticks;
  }
  return busy;
}

LoadMoment load_now() {
  LoadMoment moment;
  std::ifstream file("/proc/stat");
  std::string line;
  std::getline(file, line);
  if (const std::optional<uint64_t> ticks = busy_ticks(line))
    moment.everyone = static_cast<double>(*ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  moment.own = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  moment.clock = seconds_of(CLOCK_MONOTONIC);
  return moment;
}

std::optional<double> others_between(const LoadMoment& begin, const LoadMoment& end) {
  if (!begin.everyone || !end.everyone || end.clock <= begin.clock) return std::nullopt;
  const double others = (*end.everyone - *begin.everyone) - (end.own - begin.own);
  return std::max(0.0, others) / (end.clock - begin.clock);
}

uint64_t peak_memory() { return kib_behind("/proc/self/status", "VmHWM:"); }

uint64_t total_memory() { return kib_behind("/proc/meminfo", "MemTotal:"); }

}  // namespace tulou::hardware
