#include "kernels/quant/quantize_fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tulou::kernels::fit {
namespace {

// Four floats that every supported processor adds at once.
using Vec = float __attribute__((vector_size(16)));

Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
Vec splat(float v) { return Vec{v, v, v, v}; }
float sum(Vec v) { return (v[0] + v[2]) + (v[1] + v[3]); }
// A NaN becomes `low`.
Vec clamp(Vec v, float low, float high) {
  v = v > splat(low) ? v : splat(low);
  return v < splat(high) ? v : splat(high);
}
// To the nearest whole number, for values below 2^22: adding 1.5 * 2^23 leaves no bits for
// fractions.
Vec nearest(Vec v) {
  constexpr float kMagic = 12582912.0f;
  return (v + splat(kMagic)) - splat(kMagic);
}

// Below this magnitude a group counts as zero: the scale would be no fp16 number.
constexpr float kSmallest = 1e-10f;
constexpr int kMaxRefinements = 6;

// The table value nearest to y for y in [k / 2 - 128, (k + 1) / 2 - 128): the midpoints between the
// values are multiples of a half.
constexpr size_t kTableSize = 512;
const std::array<float, kTableSize>& nearest_table() {
  static const std::array<float, kTableSize> table = [] {
    std::array<float, kTableSize> values;
    for (size_t k = 0; k < kTableSize; ++k) {
      const float y = static_cast<float>(k) / 2 - 128 + 0.25f;
      float best = tensor::kIq4Values[0];
      for (const int8_t value : tensor::kIq4Values) {
        if (std::fabs(y - static_cast<float>(value)) < std::fabs(y - best)) best = value;
      }
      values[k] = best;
    }
    return values;
  }();
  return table;
}

Vec nearest_in_table(const float* table, Vec y) {
  const Vec index = clamp(y * splat(2) + splat(256), 0, kTableSize - 1);
  return Vec{table[static_cast<size_t>(index[0])], table[static_cast<size_t>(index[1])],
             table[static_cast<size_t>(index[2])], table[static_cast<size_t>(index[3])]};
}

// Numerator and denominator of the best scale for the levels nearest to x * inverse.
struct Sums {
  float xl = 0, ll = 0;
  // What the best scale takes off the error.
  float gain() const { return ll > 0 ? xl / ll * xl : 0; }
};

template <bool kTable>
Sums sums(const Group& group, const Levels& levels, float inverse, const float* wx) {
  const float* table = kTable ? nearest_table().data() : nullptr;
  Vec xl = splat(0), ll = splat(0);
  const Vec factor = splat(inverse);
  for (size_t i = 0; i < group.size; i += 4) {
    const Vec scaled = load(group.x + i) * factor;
    const Vec l =
        kTable ? nearest_in_table(table, scaled) : clamp(nearest(scaled), levels.low, levels.high);
    xl += load(wx + i) * l;
    ll += load(group.w + i) * (l * l);
  }
  return {sum(xl), sum(ll)};
}

template <bool kTable>
float search_scale(const Group& group, const Levels& levels) {
  alignas(16) float wx[kMaxGroup];
  float farthest = 0;  // from 0, with its sign
  for (size_t i = 0; i < group.size; ++i) {
    wx[i] = group.w[i] * group.x[i];
    if (std::fabs(group.x[i]) > std::fabs(farthest)) farthest = group.x[i];
  }
  if (std::fabs(farthest) < kSmallest) return 0;
  Sums best;
  for (const float end : {levels.low, levels.high}) {
    for (int i = levels.first; i <= levels.last; ++i) {
      const float inverse = end / farthest * (1 + static_cast<float>(i) * levels.step);
      const Sums candidate = sums<kTable>(group, levels, inverse, wx);
      if (candidate.gain() > best.gain()) best = candidate;
    }
  }
  // The best scale for these levels, the nearest levels for that scale, and so on: never worse.
  for (int i = 0; i < kMaxRefinements && best.xl != 0; ++i) {
    const Sums candidate = sums<kTable>(group, levels, best.ll / best.xl, wx);
    if (!(candidate.gain() > best.gain())) break;
    best = candidate;
  }
  return best.ll > 0 ? best.xl / best.ll : 0;
}

// x ~ a q + c as least squares over the group, where the sums belong to some q.
struct AffineSums {
  float xq = 0, qq = 0, q = 0;
};

struct AffineSearch {
  const Group& group;
  float max_q;
  bool minimum_is_positive;
  alignas(16) float wx[kMaxGroup];
  double w = 0, x = 0, xx = 0;
  double best_error = 0;
  Affine best;

  AffineSums sums(float inverse, float offset) const {
    Vec xq = splat(0), qq = splat(0), q_sum = splat(0);
    const Vec factor = splat(inverse), shift = splat(offset);
    for (size_t i = 0; i < group.size; i += 4) {
      const Vec q = clamp(nearest((load(group.x + i) + shift) * factor), 0, max_q);
      const Vec wq = load(group.w + i) * q;
      xq += load(wx + i) * q;
      qq += wq * q;
      q_sum += wq;
    }
    return {sum(xq), sum(qq), sum(q_sum)};
  }

  // Takes the values for q = nearest((x + offset) * inverse) if they beat the best; whether so.
  bool consider(float inverse, float offset) {
    const AffineSums s = sums(inverse, offset);
    const double xq = double{s.xq}, qq = double{s.qq}, q = double{s.q};
    const double determinant = w * qq - q * q;
    if (!(qq > 0)) return false;
    double scale = 0, constant = 0;
    if (determinant > 1e-6 * w * qq) {
      scale = (w * xq - x * q) / determinant;
      constant = (x - scale * q) / w;
    }
    if (determinant <= 1e-6 * w * qq || (minimum_is_positive && constant > 0)) {
      scale = xq / qq;
      constant = 0;
    }
    if (!(scale > 0)) return false;
    const double error =
        xx - scale * xq - constant * x -
        (scale * (xq - scale * qq - constant * q) + constant * (x - scale * q - constant * w));
    if (!(error < best_error)) return false;
    best_error = error;
    best = {static_cast<float>(scale), static_cast<float>(-constant)};
    return true;
  }
};

}  // namespace

ScaleForm assign(const Group& group, const Levels& levels, float scale, float* levels_out) {
  const float* table = nearest_table().data();
  const Vec inverse = splat(scale != 0 ? 1 / scale : 0);
  Vec xx = splat(0), xl = splat(0), ll = splat(0);
  for (size_t i = 0; i < group.size; i += 4) {
    const Vec x = load(group.x + i), w = load(group.w + i), y = x * inverse;
    const Vec l =
        levels.table ? nearest_in_table(table, y) : clamp(nearest(y), levels.low, levels.high);
    store(levels_out + i, l);
    xx += w * x * x;
    xl += w * x * l;
    ll += w * l * l;
  }
  return {double{sum(xx)}, double{sum(xl)}, double{sum(ll)}};
}

float best_scale(const Group& group, const Levels& levels) {
  return levels.table ? search_scale<true>(group, levels) : search_scale<false>(group, levels);
}

AffineForm assign(const Group& group, float max_q, Affine affine, float* q_out) {
  const Vec inverse = splat(affine.scale != 0 ? 1 / affine.scale : 0);
  const Vec offset = splat(affine.minimum);
  Vec xx = splat(0), xq = xx, qq = xx, xs = xx, qs = xx, ws = xx;
  for (size_t i = 0; i < group.size; i += 4) {
    const Vec x = load(group.x + i), w = load(group.w + i);
    const Vec q = clamp(nearest((x + offset) * inverse), 0, max_q);
    store(q_out + i, q);
    const Vec wx = w * x, wq = w * q;
    xx += wx * x;
    xq += wx * q;
    qq += wq * q;
    xs += wx;
    qs += wq;
    ws += w;
  }
  return {double{sum(xx)}, double{sum(xq)}, double{sum(qq)},
          double{sum(xs)}, double{sum(qs)}, double{sum(ws)}};
}

Affine best_affine(const Group& group, float max_q, bool minimum_is_positive) {
  float low = group.x[0], high = group.x[0];
  AffineSearch search{group, max_q, minimum_is_positive, {}, 0, 0, 0, 0, {}};
  for (size_t i = 0; i < group.size; ++i) {
    const float x = group.x[i];
    low = std::min(low, x);
    high = std::max(high, x);
    search.wx[i] = group.w[i] * x;
    search.w += double{group.w[i]};
    search.x += double{search.wx[i]};
    search.xx += double{search.wx[i]} * double{x};
  }
  if (minimum_is_positive) low = std::min(low, 0.0f);
  if (high - low < kSmallest) return {0, -low};
  // Without any scale: the mean alone.
  const double mean = search.x / search.w;
  const double constant = minimum_is_positive ? std::min(mean, 0.0) : mean;
  search.best = {0, static_cast<float>(-constant)};
  search.best_error = search.xx - 2 * constant * search.x + constant * constant * search.w;
  const float full = max_q / (high - low);
  // Coarser for few levels. Above 1 something is cut off: above, below, or at both ends.
  const float step = max_q > 15 ? 0.0125f : 0.025f;
  for (int i = -4; i <= 0; ++i) search.consider(full * (1 + static_cast<float>(i) * step), -low);
  for (int i = 1; i <= 7; ++i) {
    const float inverse = full * (1 + static_cast<float>(i * (i + 1)) * 0.5f * step);
    const float cut = (high - low) - max_q / inverse;
    for (const float share : {0.0f, 0.5f, 1.0f}) search.consider(inverse, -low - share * cut);
  }
  for (int i = 0; i < kMaxRefinements && search.best.scale > 0; ++i) {
    if (!search.consider(1 / search.best.scale, search.best.minimum)) break;
  }
  return search.best;
}

uint8_t iq4_code(float level) {
  uint8_t code = 0;
  while (code < 15 && static_cast<float>(tensor::kIq4Values[code]) < level) ++code;
  return code;
}

}  // namespace tulou::kernels::fit
