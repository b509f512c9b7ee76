// The searches of the encoders: the scale, or the scale and the minimum, with which whole numbers
// or table values come closest to a group of values. All errors are weighted squares.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/block_formats.h"

namespace tulou::kernels::fit {

// Groups have at most this many values; their number is a multiple of 4.
inline constexpr size_t kMaxGroup = 32;

// A group of values and the weights of their squared errors (> 0).
struct Group {
  const float* x = nullptr;
  const float* w = nullptr;
  size_t size = 0;
};

// Which values a code stands for: whole numbers from `low` to `high`, or kIq4Values.
struct Levels {
  float low = 0, high = 0;
  bool table = false;
  // Candidate scales: the value farthest from 0 is put at `low` or at `high`, times 1 + i * step
  // for i from first to last.
  float step = 0;
  int first = 0, last = 0;
};

inline constexpr Levels kLevelsQ4_0 = {-8, 7, false, 0.025f, -6, 14};
inline constexpr Levels kLevelsQ5_0 = {-16, 15, false, 0.0125f, -6, 14};
inline constexpr Levels kLevelsQ6_K = {-32, 31, false, 0.007f, -5, 6};
inline constexpr Levels kLevelsIQ4 = {-127, 113, true, 0.03f, -5, 8};

// Sums over a group, for levels l: x ~ a * l has the error xx - 2 a xl + a^2 ll.
struct ScaleForm {
  double xx = 0, xl = 0, ll = 0;
  double error(double a) const { return xx - 2 * a * xl + a * a * ll; }
};

// The level nearest to each x / scale (0 for a scale of 0), and its form. `levels_out` holds values
// of the levels, not codes.
ScaleForm assign(const Group& group, const Levels& levels, float scale, float* levels_out);

// The best scale found for x ~ scale * l, of either sign; 0 if all of x is (nearly) 0.
float best_scale(const Group& group, const Levels& levels);

// Sums over a group, for q: x ~ a q - b has the error below.
struct AffineForm {
  double xx = 0, xq = 0, qq = 0, x = 0, q = 0, w = 0;
  double error(double a, double b) const {
    return xx - 2 * a * xq + 2 * b * x + a * a * qq - 2 * a * b * q + b * b * w;
  }
};

struct Affine {
  float scale = 0, minimum = 0;  // x ~ scale * q - minimum
};

// The q in [0, max_q] nearest to each (x + minimum) / scale (0 for a scale of 0), and their form.
AffineForm assign(const Group& group, float max_q, Affine affine, float* q_out);

// The best scale >= 0 and minimum found for q in [0, max_q]. With `minimum_is_positive` the
// minimum is >= 0: all formats of super-blocks subtract a positive one.
Affine best_affine(const Group& group, float max_q, bool minimum_is_positive);

// The nibble whose table value is `level`.
uint8_t iq4_code(float level);

}  // namespace tulou::kernels::fit
