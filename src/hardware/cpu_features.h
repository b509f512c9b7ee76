// What this processor can do, and the kernel levels that follow from it. Nothing else reads CPUID.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::hardware {

// A set of instructions that kernels are written for, worst first.
enum class Level { kPortable, kNeon, kAvx2, kAvx512 };
inline constexpr int kNumLevels = 4;

// "portable", "neon", "avx2", "avx512".
std::string_view name(Level level);
std::optional<Level> level_named(std::string_view name);

// The levels that this processor, and its operating system, can run; kPortable always, best last.
std::vector<Level> available_levels();

// The level to use: the one asked for; if `wanted` is empty, that of the environment variable
// TULOU_ISA, so that every test program can be forced; without it, the best one.
// Error hardware.unknown_level or hardware.level_unavailable, naming what there is.
Level select_level(std::string_view wanted);

// The processor's name as the system tells it, for reports; "unknown" if it does not.
std::string processor_name();

}  // namespace tulou::hardware
