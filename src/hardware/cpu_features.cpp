#include "hardware/cpu_features.h"

#include <array>
#include <cstdlib>
#include <fstream>

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tulou::hardware {
namespace {

constexpr std::array<std::string_view, kNumLevels> kNames = {"portable", "neon", "avx2", "avx512"};

#if defined(__x86_64__)

// XCR0: which registers the operating system saves (Intel SDM volume 1, 13.3).
uint64_t saved_registers() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

struct X86 {
  bool avx2 = false, avx512 = false;
};

// CPUID bits: Intel SDM volume 2A, CPUID, leaves 1 and 7.
X86 detect() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return {};
  const bool fma = c >> 12 & 1, osxsave = c >> 27 & 1, avx = c >> 28 & 1, f16c = c >> 29 & 1;
  if (!osxsave || !avx) return {};
  const uint64_t saved = saved_registers();
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return {};
  const bool avx2 = b >> 5 & 1;
  const bool f = b >> 16 & 1, dq = b >> 17 & 1, bw = b >> 30 & 1, vl = b >> 31 & 1;
  const bool vnni = c >> 11 & 1;
  X86 x86;
  x86.avx2 = avx2 && fma && f16c && (saved & 0x06) == 0x06;  // XMM, YMM
  x86.avx512 =
      x86.avx2 && f && dq && bw && vl && vnni && (saved & 0xE6) == 0xE6;  // and opmask, ZMM
  return x86;
}

#endif

std::string available_names() {
  std::string names;
  for (const Level level : available_levels())
    names += (names.empty() ? "" : ", ") + std::string(name(level));
  return names;
}

}  // namespace

std::string_view name(Level level) { return kNames[static_cast<size_t>(level)]; }

std::optional<Level> level_named(std::string_view wanted) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == wanted) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::vector<Level> available_levels() {
  std::vector<Level> levels = {Level::kPortable};
#if defined(__x86_64__)
  const X86 x86 = detect();
  if (x86.avx2) levels.push_back(Level::kAvx2);
  if (x86.avx512) levels.push_back(Level::kAvx512);
#elif defined(__aarch64__)
  levels.push_back(Level::kNeon);  // part of the AArch64 baseline
#endif
  return levels;
}

Level select_level(std::string_view wanted) {
  const std::vector<Level> levels = available_levels();
  if (wanted.empty()) {
    const char* forced = std::getenv("TULOU_ISA");
    if (forced == nullptr || *forced == '\0') return levels.back();
    wanted = forced;
  }
  const std::optional<Level> level = level_named(wanted);
  if (!level) throw base::Error("hardware.unknown_level", wanted, available_names());
  for (const Level there : levels) {
    if (there == *level) return there;
  }
  throw base::Error("hardware.level_unavailable", wanted, available_names());
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with("model name") && colon + 2 < line.size()) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace tulou::hardware
