// What this processor can do, and the kernel levels that follow from it. Nothing else reads CPUID.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::hardware {

// A set of instructions that kernels are written for, worst first.
enum class Level { kPortable, kNeon, kAvx2, kAvx512, kAmx };
inline constexpr int kNumLevels = 5;

// "portable", "neon", "avx2", "avx512", "amx".
std::string_view name(Level level);
std::optional<Level> level_named(std::string_view wanted);

// What an x86-64 processor and its operating system say of themselves: output registers of CPUID
// leaf 1, leaf 7 and leaf 7 sub-leaf 1 (Intel SDM volume 2A), and XCR0, the registers that the
// system saves (volume 1, 13.3; 0 without OSXSAVE).
struct X86Features {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0, leaf7_ecx = 0, leaf7_edx = 0;
  uint32_t leaf7_1_eax = 0;
  uint64_t xcr0 = 0;
};

// The levels that follow from these, kPortable first, best last. `tiles_permitted` is asked only if
// everything else that kAmx needs is there: whether the system lets this process use tiles.
std::vector<Level> x86_levels(const X86Features& features, bool (*tiles_permitted)());

// The levels that this processor, and its operating system, can run; kPortable always, best last.
// Found once; where there are tiles, that asks the system for them on behalf of the process.
const std::vector<Level>& available_levels();

// The level of `levels` (as available_levels gives them) that is used unless another one is asked
// for: the best, but not kAmx. That waits to be asked for until its kernels have run on such a
// processor (docs/decisions/0013-amx.md).
Level default_level(const std::vector<Level>& levels);

// The level to use: the one asked for; if `wanted` is empty, that of the environment variable
// TULOU_ISA, so that every test program can be forced; without it, default_level.
// Error hardware.unknown_level or hardware.level_unavailable, naming what there is.
Level select_level(std::string_view wanted);

// The processor's name as the system tells it, for reports; "unknown" if it does not.
std::string processor_name();

}  // namespace tulou::hardware
