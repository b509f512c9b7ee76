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

void apply_rope(Pass& pass, const Rope& rope, const RopeTable& table, Matrix x, int64_t head_dim) {
  const auto rotate =
      rope.interleaved_pairs ? pass.kernels().rope.rotate_pairs : pass.kernels().rope.rotate_half;
  pass.parallel_for(static_cast<size_t>(x.rows), [&](size_t index, size_t) {
    const auto r = static_cast<int64_t>(index);
    for (int64_t d = 0; d < x.width; d += head_dim)
      rotate(x.row(r) + d, table.cos.row(r), table.sin.row(r), rope.half());
  });
}

}  // namespace tulou::nn
