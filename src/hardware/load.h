// What else this machine is doing while something is measured, and how much memory this process
// took.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tulou::hardware {

// A moment: processor time since boot, in seconds. Absent where the system does not tell.
struct LoadMoment {
  std::optional<double> everyone;  // busy, all processors together, also what a host took away
  double own = 0;                  // this process, all its threads
  double clock = 0;                // time that passed
};
LoadMoment load_now();

// Processors that others used between two moments (0.5: half of one), at least 0. The system counts
// in hundredths of a second, so over less than a tenth of one it says little. Absent if unknown.
std::optional<double> others_between(const LoadMoment& begin, const LoadMoment& end);

// Busy ticks (user, nice, system, irq, softirq, steal) in the text of /proc/stat, first line.
std::optional<uint64_t> busy_ticks(std::string_view proc_stat);

// The most memory that this process had at any time (VmHWM), in bytes; 0 if unknown.
uint64_t peak_memory();

// Memory of the machine in bytes; 0 if unknown.
uint64_t total_memory();

}  // namespace tulou::hardware
