#include "kernels/kernels.h"

#include <array>

#include "base/assert.h"

namespace tulou::kernels {
namespace {

Kernels table_of(hardware::Level level) {
  return {level,
          gemm_kernels(level),
          norm_kernels(level),
          activation_kernels(level),
          rope_kernels(level),
          attention_kernels(level),
          conv1d_kernels(level),
          delta_rule_kernels(level)};
}

}  // namespace

const Kernels& kernels_for(hardware::Level level) {
  static const auto tables = [] {
    std::array<Kernels, hardware::kNumLevels> all;
    for (const hardware::Level there : hardware::available_levels())
      all[static_cast<size_t>(there)] = table_of(there);
    return all;
  }();
  const Kernels& table = tables[static_cast<size_t>(level)];
  ASSERT(table.gemm.gemm != nullptr);
  return table;
}

const Kernels& select_kernels(std::string_view wanted) {
  return kernels_for(hardware::select_level(wanted));
}

}  // namespace tulou::kernels
