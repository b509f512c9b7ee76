#include "nn/rope.h"

#include <cmath>

namespace tulou::nn {

RopeTable rope_table(Pass& pass, const Rope& rope,
                     std::span<const std::array<int32_t, 3>> positions) {
  const auto rows = static_cast<int64_t>(positions.size());
  const RopeTable table = {pass.matrix(rows, rope.half()), pass.matrix(rows, rope.half())};
  pass.parallel_for(positions.size(), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    for (size_t i = 0; i < rope.inv_freq.size(); ++i) {
      const double angle = positions[index][static_cast<size_t>(rope.axis[i])] * rope.inv_freq[i];
      table.cos.row(r)[i] = static_cast<float>(std::cos(angle) * rope.scale);
      table.sin.row(r)[i] = static_cast<float>(std::sin(angle) * rope.scale);
    }
  });
  return table;
}

void rotate_head(const kernels::Kernels& kernels, const Rope& rope, const RopeTable& table,
                 int64_t row, float* head) {
  const auto rotate = rope.interleaved_pairs ? kernels.rope.rotate_pairs : kernels.rope.rotate_half;
  rotate(head, table.cos.row(row), table.sin.row(row), rope.half());
}

}  // namespace tulou::nn
