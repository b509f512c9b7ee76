// The gated delta rule at each level, against double precision, and however it is split.
#include "kernels/delta_rule/delta_rule.h"

#include <algorithm>

#include "kernels/testing.h"

namespace tulou::kernels {
namespace {

using namespace testing;

// Some tokens of one head. Keys and queries have length 1, decay lies in (0, 1), beta in (0, 1).
struct Head {
  int64_t tokens, key_dim, value_dim, qk_stride, v_stride, gate_stride, out_stride;
  Fenced<float> q, k, v, decay, beta, state;

  Head(Random& random, int64_t num_tokens, int64_t keys, int64_t values)
      : tokens(num_tokens),
        key_dim(keys),
        value_dim(values),
        qk_stride(keys + random.below(5)),
        v_stride(values + random.below(5)),
        gate_stride(random.between(1, 3)),
        out_stride(values + random.below(5)),
        q(uniform(random, (tokens - 1) * qk_stride + keys)),
        k(uniform(random, (tokens - 1) * qk_stride + keys)),
        v(uniform(random, (tokens - 1) * v_stride + values, -4, 4)),
        decay(uniform(random, (tokens - 1) * gate_stride + 1, 0.3, 1)),
        beta(uniform(random, (tokens - 1) * gate_stride + 1, 0, 1)),
        state(uniform(random, keys * values)) {
    for (int64_t t = 0; t < tokens; ++t) {
      normalise(q.data() + t * qk_stride);
      normalise(k.data() + t * qk_stride);
    }
  }
  void normalise(float* x) const {
    double sum = 0;
    for (int64_t i = 0; i < key_dim; ++i) sum += static_cast<double>(x[i]) * x[i];
    for (int64_t i = 0; i < key_dim; ++i) x[i] = static_cast<float>(x[i] / std::sqrt(sum + 1e-6));
  }
  Fenced<float> empty_out() const {
    Fenced<float> out((tokens - 1) * out_stride + value_dim);
    out.fill(kUntouched);
    return out;
  }

  // Tokens [from, from + count), columns [begin, end).
  void run(hardware::Level level, int64_t from, int64_t count, int64_t begin, int64_t end,
           Fenced<float>& memory, Fenced<float>& out) const {
    DeltaRuleArgs args;
    args.q = q.data() + from * qk_stride;
    args.k = k.data() + from * qk_stride;
    args.qk_stride = qk_stride;
    args.v = v.data() + from * v_stride;
    args.v_stride = v_stride;
    args.decay = decay.data() + from * gate_stride;
    args.beta = beta.data() + from * gate_stride;
    args.gate_stride = gate_stride;
    args.state = memory.data();
    args.out = out.data() + from * out_stride;
    args.out_stride = out_stride;
    args.tokens = count;
    args.key_dim = key_dim;
    args.value_dim = value_dim;
    args.begin = begin;
    args.end = end;
    delta_rule_kernels(level).gated_delta_rule(args);
  }
};

// One column in double precision, and how far fp32 may be from it: `bound` for the length (2-norm)
// of the column's error. A step maps the error by decay (I - beta k k^T), which shortens, and adds
// what is rounded in it: the decay, u |S|; e, a sum of key_dim terms, dot u |S| |k|; v - e and the
// product with beta, 2 u (|v| + |e|); the update of S, two roundings of |S| + |delta k|. An output
// adds two sums of key_dim terms, decay S^T q and (k . q) delta, and three roundings. Keys are
// shorter than 1 + 2^-20.
struct Column {
  std::vector<double> state;
  double bound = 0;

  static double length(const std::vector<double>& x) {
    double sum = 0;
    for (const double value : x) sum += value * value;
    return std::sqrt(sum);
  }
  // Returns the output; adds its bound.
  double step(const Head& head, int64_t t, int64_t c, double* out_bound) {
    const double dot = 2 * static_cast<double>(head.key_dim) * kUnit;
    const float* q = head.q.data() + t * head.qk_stride;
    const float* k = head.k.data() + t * head.qk_stride;
    const double decay = head.decay[t * head.gate_stride], beta = head.beta[t * head.gate_stride];
    const double v = head.v[t * head.v_stride + c];
    double error = 0, out = 0;
    for (size_t i = 0; i < state.size(); ++i) error += (state[i] *= decay) * k[i];
    const double size = length(state), delta = beta * (v - error);
    const double delta_bound = dot * size + 3 * kUnit * (std::abs(v) + std::abs(error));
    bound = bound + kUnit * size + delta_bound + 2 * kUnit * (size + std::abs(delta));
    for (size_t i = 0; i < state.size(); ++i) out += (state[i] += k[i] * delta) * q[i];
    *out_bound = 1.01 * (bound + (dot + 3 * kUnit) * (size + std::abs(delta)));
    return out;
  }
};

void check_against_double(const Head& head, hardware::Level level) {
  Fenced<float> memory(head.state), out = head.empty_out();
  head.run(level, 0, head.tokens, 0, head.value_dim, memory, out);
  for (int64_t c = 0; c < head.value_dim; ++c) {
    Column column;
    for (int64_t i = 0; i < head.key_dim; ++i)
      column.state.push_back(head.state[i * head.value_dim + c]);
    for (int64_t t = 0; t < head.tokens; ++t) {
      double bound;
      const double truth = column.step(head, t, c, &bound);
      ASSERT_NEAR(out[t * head.out_stride + c], truth, bound) << hardware::name(level) << " " << t;
    }
    for (int64_t i = 0; i < head.key_dim; ++i) {
      ASSERT_NEAR(memory[i * head.value_dim + c], column.state[static_cast<size_t>(i)],
                  1.01 * column.bound);
    }
  }
  for (int64_t i = 0; i < out.size(); ++i) {
    if (i % head.out_stride >= head.value_dim) {
      ASSERT_EQ(out[i], kUntouched);
    }
  }
}

TEST(DeltaRule, EqualsTheFormula) {
  Random random(1);
  for (const int64_t value_dim : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 128}) {
    for (const int64_t key_dim : {1, 7, 16, 128}) {
      const Head head(random, random.between(1, 12), key_dim, value_dim);
      for (const auto level : levels()) check_against_double(head, level);
    }
  }
  const Head longer(random, 200, 64, 40);
  for (const auto level : levels()) check_against_double(longer, level);
}

TEST(DeltaRule, TokensAndColumnsMayBeSplitAnywhere) {
  Random random(2);
  for (int i = 0; i < 40; ++i) {
    const Head head(random, random.between(1, 30), random.between(1, 40), random.between(1, 140));
    for (const auto level : levels()) {
      Fenced<float> memory(head.state), out = head.empty_out();
      head.run(level, 0, head.tokens, 0, head.value_dim, memory, out);
      Fenced<float> split_memory(head.state), split_out = head.empty_out();
      for (int64_t begin = 0; begin < head.value_dim;) {
        const int64_t end = std::min(head.value_dim, begin + random.between(1, 50));
        for (int64_t t = 0; t < head.tokens;) {
          const int64_t count = std::min(head.tokens - t, random.between(1, 9));
          head.run(level, t, count, begin, end, split_memory, split_out);
          t += count;
        }
        begin = end;
      }
      ASSERT_TRUE(split_out.same_bits(out) && split_memory.same_bits(memory))
          << hardware::name(level) << " " << head.key_dim << " " << head.value_dim;
    }
  }
}

TEST(DeltaRule, NoTokensChangeNothing) {
  Random random(3);
  const Head head(random, 2, 8, 12);
  for (const auto level : levels()) {
    Fenced<float> memory(head.state), out = head.empty_out();
    head.run(level, 0, 0, 0, head.value_dim, memory, out);
    head.run(level, 0, 2, 5, 5, memory, out);
    EXPECT_TRUE(memory.same_bits(head.state));
    for (int64_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], kUntouched);
  }
}

}  // namespace
}  // namespace tulou::kernels
