#include "hardware/cpu_features.h"

#include <array>
#include <cstdlib>
#include <fstream>

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tulou::hardware {
namespace {

constexpr std::array<std::string_view, kNumLevels> kNames = {"portable", "neon", "avx2", "avx512",
                                                             "amx"};

#if defined(__x86_64__)

X86Features read_features() {
  X86Features f;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return f;
  f.leaf1_ecx = c;
  if ((c >> 27 & 1) != 0) {  // OSXSAVE: XGETBV may be executed
    asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    f.xcr0 = uint64_t{d} << 32 | a;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return f;
  f.leaf7_ebx = b, f.leaf7_ecx = c, f.leaf7_edx = d;
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) f.leaf7_1_eax = a;
  return f;
}

// The 8 KiB of tile data are saved only for processes that asked for them (Linux,
// Documentation/arch/x86/xstate.rst); a process has them once one of its threads did. Refused by
// kernels before 5.16 and where a thread has an alternate signal stack too small for them.
bool permit_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

#endif

std::vector<Level> find_levels() {
#if defined(__x86_64__)
  return x86_levels(read_features(), permit_tiles);
#elif defined(__aarch64__)
  return {Level::kPortable, Level::kNeon};  // part of the AArch64 baseline
#else
  return {Level::kPortable};
#endif
}

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

std::vector<Level> x86_levels(const X86Features& f, bool (*tiles_permitted)()) {
  const auto has = [](uint64_t bits, uint64_t wanted) { return (bits & wanted) == wanted; };
  const auto bit = [](int i) { return uint64_t{1} << i; };
  std::vector<Level> levels = {Level::kPortable};
  // FMA, OSXSAVE, AVX, F16C; AVX2; XMM and YMM are saved.
  if (!has(f.leaf1_ecx, bit(12) | bit(27) | bit(28) | bit(29)) || !has(f.leaf7_ebx, bit(5)) ||
      !has(f.xcr0, 0x06))
    return levels;
  levels.push_back(Level::kAvx2);
  // F, DQ, BW, VL; VNNI; opmasks and ZMM are saved.
  if (!has(f.leaf7_ebx, bit(16) | bit(17) | bit(30) | bit(31)) || !has(f.leaf7_ecx, bit(11)) ||
      !has(f.xcr0, 0xE6))
    return levels;
  levels.push_back(Level::kAvx512);
  // AMX-BF16, AMX-TILE, AMX-INT8; AVX512_BF16; tile configuration and tile data are saved.
  if (has(f.leaf7_edx, bit(22) | bit(24) | bit(25)) && has(f.leaf7_1_eax, bit(5)) &&
      has(f.xcr0, bit(17) | bit(18)) && tiles_permitted())
    levels.push_back(Level::kAmx);
  return levels;
}

const std::vector<Level>& available_levels() {
  static const std::vector<Level> levels = find_levels();
  return levels;
}

Level default_level(const std::vector<Level>& levels) {
  const bool amx = levels.back() == Level::kAmx;
  return amx ? Level::kAvx512 : levels.back();
}

Level select_level(std::string_view wanted) {
  const std::vector<Level>& levels = available_levels();
  if (wanted.empty()) {
    const char* forced = std::getenv("TULOU_ISA");
    if (forced == nullptr || *forced == '\0') return default_level(levels);
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
