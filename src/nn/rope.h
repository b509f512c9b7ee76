// Rotary position embedding: the angles of a batch, computed once and used by every layer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "nn/matrix.h"
#include "nn/pass.h"

namespace tulou::nn {

// What turns by how much. Frequencies are those of the config after YaRN; they do not change.
struct Rope {
  std::vector<double> inv_freq;  // [half], radians a position
  std::vector<int8_t> axis;      // [half]: which of a position's three numbers counts
  double scale = 1;              // on cos and sin (YaRN)
  bool interleaved_pairs = false;
  int64_t half() const { return static_cast<int64_t>(inv_freq.size()); }
};

// cos and sin of every row: [rows, half] each. Angles are taken in fp64 and rounded once.
struct RopeTable {
  Matrix cos, sin;
};
RopeTable rope_table(Pass& pass, const Rope& rope,
                     std::span<const std::array<int32_t, 3>> positions);

// Turns the first 2 * half dimensions of one head of row `row` of the batch in place, on the
// calling thread.
void rotate_head(const kernels::Kernels& kernels, const Rope& rope, const RopeTable& table,
                 int64_t row, float* head);

}  // namespace tulou::nn
