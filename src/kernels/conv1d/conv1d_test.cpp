// The causal convolution at each level, against double precision, and however it is split.
#include "kernels/conv1d/conv1d.h"

#include <algorithm>

#include "kernels/testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

struct Convolution {
  int64_t tokens, channels, kernel;
  Fenced<float> in, weight, state;

  Convolution(Random& random, int64_t num_tokens, int64_t num_channels, int64_t taps)
      : tokens(num_tokens),
        channels(num_channels),
        kernel(taps),
        in(uniform(random, tokens * channels, -3, 3)),
        weight(uniform(random, kernel * channels)),
        state(uniform(random, (kernel - 1) * channels, -3, 3)) {}

  // Tokens [from, from + count), channels [begin, end).
  void run(hardware::Level level, int64_t from, int64_t count, int64_t begin, int64_t end,
           Fenced<float>& tail, Fenced<float>& out) const {
    ConvArgs args;
    args.in = in.data() + from * channels + begin;
    args.weight = weight.data() + begin;
    args.state = tail.data() + begin;
    args.out = out.data() + from * channels + begin;
    args.in_stride = args.weight_stride = args.out_stride = channels;
    args.tokens = count;
    args.channels = end - begin;
    args.kernel = kernel;
    conv1d_kernels(level).causal_conv_silu(args);
  }
  // The input at time t, which may lie before the first one.
  float at(int64_t t, int64_t c) const {
    return t >= 0 ? in[t * channels + c] : state[(kernel - 1 + t) * channels + c];
  }
};

// The sum has 2 kernel roundings at most of each term; silu has a slope of at most 1.1 and 6
// roundings.
void check_against_double(const Convolution& c, hardware::Level level) {
  Fenced<float> tail(c.state), out(c.tokens * c.channels);
  c.run(level, 0, c.tokens, 0, c.channels, tail, out);
  for (int64_t t = 0; t < c.tokens; ++t) {
    for (int64_t channel = 0; channel < c.channels; ++channel) {
      double sum = 0, size = 0;
      for (int64_t j = 0; j < c.kernel; ++j) {
        const double term = static_cast<double>(c.weight[j * c.channels + channel]) *
                            static_cast<double>(c.at(t - c.kernel + 1 + j, channel));
        sum += term;
        size += std::abs(term);
      }
      const double truth = sum / (1 + std::exp(-sum));
      const double bound = 1.1 * 2 * static_cast<double>(c.kernel) * kUnit * size +
                           6.1 * kUnit * std::abs(truth) + kSmallNormal;
      ASSERT_NEAR(out[t * c.channels + channel], truth, bound) << hardware::name(level);
    }
  }
  for (int64_t j = 0; j + 1 < c.kernel; ++j) {
    for (int64_t channel = 0; channel < c.channels; ++channel)
      ASSERT_EQ(tail[j * c.channels + channel], c.at(c.tokens - c.kernel + 1 + j, channel));
  }
}

TEST(Conv1d, EqualsTheFormula) {
  Random random(1);
  for (const int64_t kernel : {1, 2, 3, 4, 5}) {
    for (const int64_t tokens : {0, 1, 2, 3, 4, 9}) {
      for (const int64_t channels : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 40}) {
        const Convolution c(random, tokens, channels, kernel);
        for (const auto level : levels()) check_against_double(c, level);
      }
    }
  }
}

TEST(Conv1d, TokensAndChannelsMayBeSplitAnywhere) {
  Random random(2);
  for (int i = 0; i < 60; ++i) {
    const Convolution c(random, random.between(1, 20), random.between(1, 70), random.between(1, 5));
    for (const auto level : levels()) {
      Fenced<float> tail(c.state), out(c.tokens * c.channels);
      c.run(level, 0, c.tokens, 0, c.channels, tail, out);
      Fenced<float> split_tail(c.state), split_out(c.tokens * c.channels);
      for (int64_t begin = 0; begin < c.channels;) {
        const int64_t end = std::min(c.channels, begin + random.between(1, 20));
        for (int64_t t = 0; t < c.tokens;) {
          const int64_t count = std::min(c.tokens - t, random.between(1, 6));
          c.run(level, t, count, begin, end, split_tail, split_out);
          t += count;
        }
        begin = end;
      }
      ASSERT_TRUE(split_out.same_bits(out) && split_tail.same_bits(tail)) << hardware::name(level);
    }
  }
}

// Channels outside of the range keep what was there.
TEST(Conv1d, LeavesOtherChannelsAlone) {
  Random random(3);
  const Convolution c(random, 5, 30, 4);
  for (const auto level : levels()) {
    Fenced<float> tail(c.state), out(c.tokens * c.channels);
    out.fill(kUntouched);
    c.run(level, 0, c.tokens, 11, 19, tail, out);
    for (int64_t i = 0; i < out.size(); ++i) {
      if (i % 30 < 11 || i % 30 >= 19) {
        EXPECT_EQ(out[i], kUntouched);
      }
    }
    for (int64_t i = 0; i < tail.size(); ++i) {
      if (i % 30 < 11 || i % 30 >= 19) {
        EXPECT_EQ(tail[i], c.state[i]);
      }
    }
  }
}

}  // namespace
}  // namespace tulou::kernels
