// Super-blocks of 256 values: groups with small whole scales (and minima) times one or two fp16
// numbers. First the best scales of each group alone, then the common numbers and the whole ones
// together, then the codes again for what was chosen.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/quant/quantize_blocks.h"
#include "kernels/quant/quantize_fit.h"

namespace tulou::kernels {
namespace {

using namespace tensor;
using fit::Affine;
using fit::AffineForm;
using fit::Group;
using fit::ScaleForm;

constexpr double kNoError = std::numeric_limits<double>::max();
constexpr int kRounds = 3;

// A super-block of `num` groups with a scale each, from `low` to `high` times d.
template <size_t num>
struct ScaledGroups {
  static constexpr size_t kSize = kSuperBlock / num;
  const float* x;
  const float* w;
  const fit::Levels& levels;
  float low, high;
  std::array<ScaleForm, num> forms = {};

  struct Choice {
    float d = 0;
    std::array<float, num> scales = {};
    double error = kNoError;
  };
  Choice best = {};
  alignas(16) std::array<float, kSuperBlock> codes = {}, best_codes = {};

  Group group(size_t g) const { return {x + g * kSize, w + g * kSize, kSize}; }

  // The best whole scales for the codes as they are and this d, and what is left of the error.
  Choice round_scales(float d) const {
    Choice choice;
    choice.d = d;
    choice.error = 0;
    for (size_t g = 0; g < num; ++g) {
      const ScaleForm& form = forms[g];
      const double wanted = form.ll > 0 && d != 0 ? form.xl / form.ll / double{d} : 0;
      const auto scale = static_cast<float>(
          std::clamp(std::nearbyint(wanted), static_cast<double>(low), static_cast<double>(high)));
      choice.scales[g] = scale;
      choice.error += form.error(double{d * scale});
    }
    return choice;
  }

  // The best d for the codes and whole scales as they are.
  float best_d(const Choice& choice) const {
    double xl = 0, ll = 0;
    for (size_t g = 0; g < num; ++g) {
      const double scale = double{choice.scales[g]};
      xl += scale * forms[g].xl;
      ll += scale * scale * forms[g].ll;
    }
    return ll > 0 ? through_fp16(static_cast<float>(xl / ll)) : 0;
  }

  // Gives the codes for a choice's scales; keeps the choice if it is the best so far.
  void take(Choice choice) {
    choice.error = 0;
    for (size_t g = 0; g < num; ++g) {
      forms[g] = assign(group(g), levels, choice.d * choice.scales[g], &codes[g * kSize]);
      choice.error += forms[g].error(double{choice.d * choice.scales[g]});
    }
    if (!(choice.error < best.error)) return;
    best = choice;
    best_codes = codes;
  }

  void search() {
    std::array<float, num> scales;
    float farthest = 0;
    for (size_t g = 0; g < num; ++g) {
      scales[g] = fit::best_scale(group(g), levels);
      forms[g] = assign(group(g), levels, scales[g], &codes[g * kSize]);
      if (std::fabs(scales[g]) > std::fabs(farthest)) farthest = scales[g];
    }
    Choice start = round_scales(0);
    // The largest scale becomes `low`, `low` + 1, ... times d, or `high`, `high` - 1, ...
    constexpr int kCandidates = 12;
    for (int i = 0; i < kCandidates; ++i) {
      for (const float end : {low + static_cast<float>(i), high - static_cast<float>(i)}) {
        Choice choice = round_scales(through_fp16(farthest / end));
        choice = round_scales(best_d(choice));
        if (choice.error < start.error) start = choice;
      }
    }
    take(start);
    for (int i = 0; i < kRounds; ++i) {
      const double before = best.error;
      const Choice rounded = round_scales(best.d);
      take(round_scales(best_d(rounded)));
      if (!(best.error < before)) break;
    }
  }
};

// A super-block of 8 groups with a scale and a minimum each, both 0 to 63 times d and dmin.
struct AffineGroups {
  static constexpr size_t kNum = 8, kSize = 32;
  static constexpr double kMax = 63;
  const float* x;
  const float* w;
  float max_q;
  std::array<AffineForm, kNum> forms = {};

  struct Choice {
    float d = 0, dmin = 0;
    std::array<float, kNum> scales = {}, minima = {};
    double error = kNoError;
  };
  Choice best = {};
  alignas(16) std::array<float, kSuperBlock> codes = {}, best_codes = {};

  Group group(size_t g) const { return {x + g * kSize, w + g * kSize, kSize}; }

  // The best whole minimum for a scale a, for codes of this form.
  static double round_minimum(const AffineForm& form, double a, double dmin) {
    if (dmin == 0) return 0;
    return std::clamp(std::nearbyint((a * form.q - form.x) / form.w / dmin), 0.0, kMax);
  }

  // The best whole scales and minima for the codes as they are; gives up beyond `limit`.
  Choice round_all(float d, float dmin, double limit) const {
    Choice choice;
    choice.d = d;
    choice.dmin = dmin;
    choice.error = 0;
    for (size_t g = 0; g < kNum && choice.error < limit; ++g) {
      const AffineForm& form = forms[g];
      const double determinant = form.w * form.qq - form.q * form.q;
      const double wanted = determinant > 1e-6 * form.w * form.qq
                                ? (form.w * form.xq - form.x * form.q) / determinant
                            : form.qq > 0 ? form.xq / form.qq
                                          : 0;
      const double below = d != 0 ? std::clamp(std::floor(wanted / double{d}), 0.0, kMax) : 0.0;
      double least = kNoError;
      for (const double scale : {below, std::min(below + 1, kMax)}) {
        const double a = double{d} * scale;
        const double minimum = round_minimum(form, a, double{dmin});
        const double error = form.error(a, double{dmin} * minimum);
        if (!(error < least)) continue;
        least = error;
        choice.scales[g] = static_cast<float>(scale);
        choice.minima[g] = static_cast<float>(minimum);
      }
      choice.error += least;
    }
    return choice;
  }

  // The best d and dmin for the codes and whole numbers as they are.
  Affine best_pair(const Choice& choice) const {
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;  // normal equations of x ~ d (s q) - dmin (m)
    for (size_t g = 0; g < kNum; ++g) {
      const double s = double{choice.scales[g]}, m = double{choice.minima[g]};
      aa += s * s * forms[g].qq;
      ab += s * m * forms[g].q;
      bb += m * m * forms[g].w;
      ax += s * forms[g].xq;
      bx += m * forms[g].x;
    }
    const double determinant = aa * bb - ab * ab;
    if (!(determinant > 1e-9 * aa * bb)) return {choice.d, choice.dmin};
    const double d = (ax * bb - ab * bx) / determinant, dmin = (ab * ax - aa * bx) / determinant;
    if (!(d > 0) || !(dmin > 0)) return {choice.d, choice.dmin};
    return {through_fp16(static_cast<float>(d)), through_fp16(static_cast<float>(dmin))};
  }

  void take(Choice choice) {
    choice.error = 0;
    for (size_t g = 0; g < kNum; ++g) {
      const Affine affine = {choice.d * choice.scales[g], choice.dmin * choice.minima[g]};
      forms[g] = assign(group(g), max_q, affine, &codes[g * kSize]);
      choice.error += forms[g].error(double{affine.scale}, double{affine.minimum});
    }
    if (!(choice.error < best.error)) return;
    best = choice;
    best_codes = codes;
  }

  void search() {
    float largest_scale = 0, largest_minimum = 0;
    for (size_t g = 0; g < kNum; ++g) {
      const Affine affine = fit::best_affine(group(g), max_q, true);
      forms[g] = assign(group(g), max_q, affine, &codes[g * kSize]);
      largest_scale = std::max(largest_scale, affine.scale);
      largest_minimum = std::max(largest_minimum, affine.minimum);
    }
    Choice start;
    // The largest becomes 63, 62, ... times d; a largest one that is cut off may be worth it too.
    for (int i = -2; i < 8; ++i) {
      for (int j = -2; j < 8; ++j) {
        const auto whole = [](int k) { return static_cast<float>(kMax) - static_cast<float>(k); };
        const Choice choice = round_all(through_fp16(largest_scale / whole(i)),
                                        through_fp16(largest_minimum / whole(j)), start.error);
        if (choice.error < start.error) start = choice;
      }
    }
    take(start);
    for (int i = 0; i < kRounds; ++i) {
      const double before = best.error;
      const Choice rounded = round_all(best.d, best.dmin, kNoError);
      const Affine pair = best_pair(rounded);
      take(round_all(pair.scale, pair.minimum, kNoError));
      if (!(best.error < before)) break;
    }
  }

  // The common part of Q4_K and Q5_K; see scale_and_min for the packing.
  template <typename Block>
  void write(Block& block) const {
    block.d = to_fp16(best.d);
    block.dmin = to_fp16(best.dmin);
    for (size_t g = 0; g < kNum; ++g) {
      const auto scale = static_cast<int>(best.scales[g]);
      const auto minimum = static_cast<int>(best.minima[g]);
      const auto put = [&](size_t at, int bits) {
        block.scales[at] = static_cast<uint8_t>(block.scales[at] | bits);
      };
      if (g < 4) {
        put(g, scale);
        put(g + 4, minimum);
      } else {
        put(g + 4, (scale & 15) | (minimum & 15) << 4);
        put(g - 4, (scale >> 4) << 6);
        put(g, (minimum >> 4) << 6);
      }
    }
    for (size_t i = 0; i < kSuperBlock; ++i) {
      const int low = static_cast<int>(best_codes[i]) & 15;
      uint8_t& byte = block.qs[32 * (i / 64) + i % 32];
      byte = static_cast<uint8_t>(byte | low << (i / 32 % 2 * 4));
    }
  }
};

}  // namespace

void encode(const float* x, const float* w, BlockQ4_K& block) {
  AffineGroups groups{x, w, 15};
  groups.search();
  groups.write(block);
}

void encode(const float* x, const float* w, BlockQ5_K& block) {
  AffineGroups groups{x, w, 31};
  groups.search();
  groups.write(block);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const int high = static_cast<int>(groups.best_codes[i]) >> 4;
    block.qh[i % 32] = static_cast<uint8_t>(block.qh[i % 32] | high << (i / 32));
  }
}

void encode(const float* x, const float* w, BlockQ6_K& block) {
  ScaledGroups<16> groups{x, w, fit::kLevelsQ6_K, -128, 127};
  groups.search();
  block.d = to_fp16(groups.best.d);
  for (size_t g = 0; g < 16; ++g) block.scales[g] = static_cast<int8_t>(groups.best.scales[g]);
  for (size_t i = 0; i < kSuperBlock; ++i) {
    const int code = static_cast<int>(groups.best_codes[i]) + 32;
    const size_t n = i / 128, g = i % 128 / 32, l = i % 32;
    uint8_t& low = block.ql[64 * n + 32 * (g % 2) + l];
    uint8_t& high = block.qh[32 * n + l];
    low = static_cast<uint8_t>(low | (code & 15) << (4 * (g / 2)));
    high = static_cast<uint8_t>(high | (code >> 4) << (2 * g));
  }
}

void encode(const float* x, const float* w, BlockIQ4_XS& block) {
  ScaledGroups<8> groups{x, w, fit::kLevelsIQ4, -32, 31};
  groups.search();
  block.d = to_fp16(groups.best.d);
  unsigned high = 0;
  for (size_t g = 0; g < 8; ++g) {
    const auto scale = static_cast<unsigned>(static_cast<int>(groups.best.scales[g]) + 32);
    block.scales_l[g / 2] =
        static_cast<uint8_t>(block.scales_l[g / 2] | (scale & 15) << (4 * (g % 2)));
    high |= (scale >> 4) << (2 * g);
  }
  block.scales_h = Word16::of(static_cast<uint16_t>(high));
  for (size_t i = 0; i < kSuperBlock; ++i) {
    uint8_t& byte = block.qs[16 * (i / 32) + i % 16];
    byte = static_cast<uint8_t>(byte | fit::iq4_code(groups.best_codes[i]) << (i % 32 / 16 * 4));
  }
}

}  // namespace tulou::kernels
