// Everything in process that the reference implementation also computes: logits, hidden states,
// outputs of parts, recurrent states, embeddings, greedy continuations; and the recipe rule: the
// bits of a token's logits do not depend on batch, split or threads.
#include <cstring>
#include <map>

#include "base/json_value.h"
#include "base/thread_pool.h"
#include "engine/engine.h"
#include "golden_case.h"
#include "model/state_cache.h"
#include "nn/head.h"

namespace tulou::golden {
namespace {

using Captured = std::map<std::string, std::vector<float>>;

struct Setup {
  hardware::Level level = hardware::available_levels().back();
  size_t threads = 2;
  nn::CacheType cache_type = nn::CacheType::kF32;
};

// Runs sequences through a model in pieces and collects logits.
class Runner {
 public:
  Runner(const model::Model& model, const Setup& setup, int64_t sequences)
      : model_(model),
        kernels_(kernels::kernels_for(setup.level)),
        pool_(setup.threads),
        cache_(model.config(), setup.cache_type,
               model::plan_cache(model.config(), setup.cache_type, sequences, 512)) {}

  model::SequenceHandle create() { return *cache_.create(); }
  model::StateCache& cache() { return cache_; }

  // One forward pass over the batch; commits its rows and returns [rows that want logits, vocab].
  std::vector<float> forward(const model::Batch& batch, Captured* captured = nullptr) {
    arena_.reset();
    const base::ThreadPool::Lease lease(pool_);
    nn::Pass pass(kernels_, lease, arena_);
    for (const auto& s : batch.sequences)
      EXPECT_TRUE(cache_.reserve(s.handle, static_cast<int64_t>(s.end - s.begin)));
    const model::Trace trace = [&](const std::string& name, std::span<const float> values) {
      captured->insert_or_assign(name, std::vector<float>(values.begin(), values.end()));
    };
    const auto result =
        model_.forward(pass, batch, cache_, captured != nullptr ? trace : model::Trace());
    for (const auto& s : batch.sequences)
      cache_.commit(s.handle, static_cast<int64_t>(s.end - s.begin));
    cache_.check_integrity();
    hidden_.assign(result.hidden.begin(), result.hidden.end());
    return {result.logits.begin(), result.logits.end()};
  }

  // A whole prompt, `split` tokens at a time (0: all at once): [tokens, vocab].
  std::vector<float> logits(std::span<const int32_t> ids, size_t split = 0,
                            Captured* captured = nullptr) {
    const auto handle = create();
    std::vector<float> all;
    const size_t step = split == 0 ? ids.size() : split;
    for (size_t at = 0; at < ids.size(); at += step) {
      model::Batch batch;
      batch.add(handle, ids.subspan(at, std::min(step, ids.size() - at)), static_cast<int64_t>(at),
                model::Want::kLogits, model::Want::kLogits);
      const auto piece = forward(batch, captured);
      all.insert(all.end(), piece.begin(), piece.end());
    }
    cache_.release(handle);
    return all;
  }
  const std::vector<float>& hidden() const { return hidden_; }

 private:
  const model::Model& model_;
  const kernels::Kernels& kernels_;
  base::ThreadPool pool_;
  base::Arena arena_;
  model::StateCache cache_;
  std::vector<float> hidden_;
};

void expect_same_bits(std::span<const float> a, std::span<const float> b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size_bytes()), 0) << what;
}

class GoldenText : public testing::TestWithParam<std::string> {};

TEST_P(GoldenText, LogitsAtEveryLevel) {
  const Case golden(GetParam());
  const auto vocab = static_cast<size_t>(golden.model->config().vocab_size);
  for (const hardware::Level level : hardware::available_levels()) {
    Runner runner(*golden.model, {.level = level}, 1);
    const auto actual = runner.logits(golden.ids());
    expect_close(golden, std::string(name(level)) + " logits", actual,
                 golden.expected.values("logits"), vocab);
  }
}

TEST_P(GoldenText, HiddenStatesAndParts) {
  const Case golden(GetParam());
  Runner runner(*golden.model, {}, 1);
  Captured captured;
  runner.logits(golden.ids(), 0, &captured);
  size_t compared = 0;
  for (const std::string& name : golden.expected.names()) {
    if (!name.starts_with("hidden.") && !name.starts_with("part.")) continue;
    ASSERT_TRUE(captured.contains(name)) << name;
    expect_close(golden, name, captured[name], golden.expected.values(name),
                 static_cast<size_t>(golden.model->config().hidden_size));
    ++compared;
  }
  EXPECT_GE(compared, static_cast<size_t>(golden.model->config().num_hidden_layers()));
}

// Compares one layer's recurrent state and convolution tail with what was expected of them.
void compare_state(const Case& golden, Runner& runner, model::SequenceHandle handle, size_t layer) {
  const model::ModelConfig& c = golden.model->config();
  const std::string prefix = "state.layer." + std::to_string(layer) + ".";
  const nn::DeltaState state = runner.cache().delta_state(handle, layer);
  if (golden.expected.has(prefix + "recurrent")) {
    const auto expected = golden.expected.values(prefix + "recurrent");
    const auto total = static_cast<size_t>(c.linear_num_value_heads * c.linear_key_head_dim *
                                           c.linear_value_head_dim);
    // Of a wide state only the last head is stored.
    const std::span<const float> actual(state.recurrent + total - expected.size(), expected.size());
    expect_close(golden, prefix + "recurrent", actual, expected,
                 static_cast<size_t>(c.linear_value_head_dim));
  }
  if (!golden.expected.has(prefix + "conv")) return;
  // Expected [channels, kernel], newest last, the first column redundant; ours [kernel - 1,
  // channels].
  const auto expected = golden.expected.values(prefix + "conv");
  const auto kernel = static_cast<size_t>(c.linear_conv_kernel_dim);
  const size_t stored = expected.size() / kernel;
  const auto channels = static_cast<size_t>(c.linear_conv_dim());
  ASSERT_LE(stored, channels);
  std::vector<float> want, have;
  for (size_t ch = 0; ch < stored; ++ch) {
    for (size_t j = 1; j < kernel; ++j) {
      want.push_back(expected[ch * kernel + j]);
      have.push_back(state.conv[(j - 1) * channels + channels - stored + ch]);
    }
  }
  expect_close(golden, prefix + "conv", have, want, kernel - 1);
}

TEST_P(GoldenText, RecurrentStates) {
  const Case golden(GetParam());
  const auto all = golden.ids();
  const std::span<const int32_t> ids(all.data(), golden.about["hidden_prefix"].get<size_t>());
  for (const size_t split : {ids.size(), size_t{1}, size_t{7}}) {
    Runner runner(*golden.model, {}, 1);
    const auto handle = runner.create();
    for (size_t at = 0; at < ids.size(); at += split) {
      model::Batch batch;
      batch.add(handle, ids.subspan(at, std::min(split, ids.size() - at)), static_cast<int64_t>(at),
                model::Want::kNothing, model::Want::kHidden);
      runner.forward(batch);
    }
    for (size_t i = 0; i < golden.model->config().layers.size(); ++i) {
      if (golden.model->config().layers[i].mixer == model::Mixer::kLinearAttention)
        compare_state(golden, runner, handle, i);
    }
  }
}

TEST_P(GoldenText, PrefixesSplitsThreadsAndBatchesGiveTheSameBits) {
  const Case golden(GetParam());
  const auto ids = golden.ids();
  const auto vocab = static_cast<size_t>(golden.model->config().vocab_size);
  for (const hardware::Level level : hardware::available_levels()) {
    for (const nn::CacheType type :
         {nn::CacheType::kF32, nn::CacheType::kBF16, nn::CacheType::kF16, nn::CacheType::kQ8_0}) {
      Runner runner(*golden.model, {level, 2, type}, 8);
      const auto whole = runner.logits(ids);
      for (const size_t split : {1, 7, 64})
        expect_same_bits(runner.logits(ids, split), whole, "split " + std::to_string(split));
      Runner one_thread(*golden.model, {level, 1, type}, 1);
      expect_same_bits(one_thread.logits(ids), whole, "one thread");
      for (const auto& item : golden.about["prefix_lengths"]) {
        const auto length = item.get<size_t>();
        const auto prefix = runner.logits({ids.data(), length});
        expect_same_bits(prefix, std::span(whole).first(length * vocab),
                         "prefix " + std::to_string(length));
      }
      // Ragged batches of prefixes: 3, and 8 sequences, all in one pass.
      for (const std::vector<size_t>& lengths :
           {std::vector<size_t>{5, 64, 129}, {1, 2, 3, 63, 65, 127, 128, 17}}) {
        model::Batch batch;
        std::vector<model::SequenceHandle> handles;
        std::vector<float> expected;
        for (const size_t length : lengths) {
          handles.push_back(runner.create());
          batch.add(handles.back(), {ids.data(), length}, 0, model::Want::kLogits,
                    model::Want::kLogits);
          expected.insert(expected.end(), whole.begin(), whole.begin() + length * vocab);
        }
        expect_same_bits(runner.forward(batch), expected, "ragged batch");
        for (const auto handle : handles) runner.cache().release(handle);
      }
    }
  }
}

// Mean KL divergence of rows of logits from the expected ones.
double mean_kl(std::span<const float> expected, std::span<const float> actual, size_t vocab) {
  double sum = 0;
  for (size_t r = 0; r < expected.size(); r += vocab) {
    const auto a = expected.subspan(r, vocab), b = actual.subspan(r, vocab);
    const double total_a = nn::log_sum_exp(a), total_b = nn::log_sum_exp(b);
    for (size_t i = 0; i < vocab; ++i) {
      const double p = static_cast<double>(a[i]) - total_a;
      sum += std::exp(p) * (p - static_cast<double>(b[i]) + total_b);
    }
  }
  return sum / static_cast<double>(expected.size() / vocab);
}

// What a cache type may cost, beside what the reference itself loses with all activations in bf16,
// rounded by up to 2^-8. A divergence grows with the square of an error: f16 rounds by 2^-11 of a
// number, so a 64th; q8_0 by 1 / 254 of the largest of 32 numbers, about 2^-8. Where any rounding
// may send a token to another expert, it is what that costs.
TEST_P(GoldenText, CacheTypesLoseWhatTheyRound) {
  const Case golden(GetParam());
  const auto vocab = static_cast<size_t>(golden.model->config().vocab_size);
  const auto expected = golden.expected.values("logits");
  const double yardstick =
      golden.about["measured"]["bf16_reference_vs_fp32"]["mean_kl"].get<double>();
  const auto loss = [&](nn::CacheType type) {
    Runner runner(*golden.model, {.cache_type = type}, 1);
    return mean_kl(expected, runner.logits(golden.ids()), vocab);
  };
  const double f32 = loss(nn::CacheType::kF32), f16 = loss(nn::CacheType::kF16);
  const double bf16 = loss(nn::CacheType::kBF16), q8_0 = loss(nn::CacheType::kQ8_0);
  EXPECT_LE(f32, 1e-9);
  EXPECT_GT(f16, f32);
  EXPECT_GT(bf16, f32);
  EXPECT_GT(q8_0, f32);
  EXPECT_LE(f16, golden.model->config().num_experts > 0 ? yardstick : yardstick / 64);
  EXPECT_LE(bf16, yardstick);
  EXPECT_LE(q8_0, yardstick);
}

TEST_P(GoldenText, GreedyContinuations) {
  const Case golden(GetParam());
  base::ThreadPool pool(2);
  engine::EngineOptions options;
  options.context = 512;
  options.num_sequences = 4;
  options.tokens_per_step = 50;  // prompts are cut, and mixed with what is being generated
  options.cache_type = nn::CacheType::kF32;
  engine::Engine engine(*golden.model, kernels::select_kernels(""), pool, options);
  std::vector<std::shared_ptr<engine::TokenStream>> streams;
  for (const auto& greedy : golden.about["greedy"]) {
    engine::Request request;
    request.prompt = greedy["ids"].get<std::vector<int32_t>>();
    request.max_tokens = static_cast<int64_t>(greedy["new_tokens"].size());
    request.greedy = true;
    streams.push_back(engine.submit(request));
  }
  while (engine.step()) {
  }
  for (size_t i = 0; i < streams.size(); ++i) {
    std::vector<int32_t> tokens;
    while (const auto token = streams[i]->next()) tokens.push_back(token->token);
    EXPECT_EQ(tokens, golden.about["greedy"][i]["new_tokens"].get<std::vector<int32_t>>());
    EXPECT_EQ(streams[i]->finish_reason(), engine::FinishReason::kLength);
  }
  engine.cache().check_integrity();
  EXPECT_EQ(engine.cache().num_free_slots(), options.num_sequences);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenText,
                         testing::Values("qwen3_5_tied_r1", "qwen3_5_untied_r2", "qwen3_5_moe",
                                         "qwen3_5_yarn", "qwen3_tied", "qwen3_yarn", "qwen3_moe",
                                         "qwen3_next", "qwen2_bias", "llama_tied"),
                         [](const auto& c) { return c.param; });

void normalise(std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  for (float& v : values) v = static_cast<float>(static_cast<double>(v) / std::sqrt(sum));
}

TEST(GoldenEmbedding, LastTokenNormalised) {
  const Case golden("qwen3_embedding");
  EXPECT_FALSE(golden.model->weights().has_head && !golden.model->config().tie_word_embeddings);
  const auto truncated = golden.about["truncated_to"].get<size_t>();
  for (const auto& prompt : golden.about["prompts"]) {
    Runner runner(*golden.model, {}, 1);
    model::Batch batch;
    batch.add(runner.create(), prompt["ids"].get<std::vector<int32_t>>(), 0, model::Want::kNothing,
              model::Want::kHidden);
    runner.forward(batch);
    const auto name = prompt["embedding"].get<std::string>();
    std::vector<float> vector = runner.hidden();
    normalise(vector);
    const auto close = [&](const std::string& which) {
      const auto expected = golden.expected.values(which);
      ASSERT_EQ(vector.size(), expected.size()) << which;
      EXPECT_LE(row_errors(vector, expected, expected.size())[0], golden.max_tolerance()) << which;
    };
    close(name);
    vector.resize(truncated);
    normalise(vector);
    close(name + ".dim" + std::to_string(truncated));
  }
}

// The rows of the visual tokens in the order of the prompt: merged features of images and videos.
std::vector<std::vector<float>> visual_rows(const Case& golden, const base::Json& prompt) {
  const auto hidden = static_cast<size_t>(golden.model->config().hidden_size);
  std::map<int, std::vector<float>> features;  // by token type: all rows of that kind, in order
  for (const auto& [key, type] : {std::pair<std::string, int>{"image", 1}, {"video", 2}}) {
    for (const auto& index : prompt[key + "s"]) {
      const auto values =
          golden.expected.values(key + "." + std::to_string(index.get<int>()) + ".merged");
      features[type].insert(features[type].end(), values.begin(), values.end());
    }
  }
  std::vector<std::vector<float>> rows;
  std::map<int, size_t> at;
  for (const auto& item : prompt["mm_token_type_ids"]) {
    const int type = item.get<int>();
    if (type == 0) {
      rows.emplace_back();
      continue;
    }
    const auto begin = features[type].begin() + static_cast<ptrdiff_t>(at[type] * hidden);
    rows.emplace_back(begin, begin + static_cast<ptrdiff_t>(hidden));
    ++at[type];
  }
  return rows;
}

// The decoder on given visual features: embedding rows, and positions with three different axes.
TEST(GoldenVision, DecoderOnGivenFeatures) {
  const Case golden("qwen3_5_vision");
  const auto vocab = static_cast<size_t>(golden.model->config().vocab_size);
  for (const auto& prompt : golden.about["prompts"]) {
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    const auto positions = golden.expected.integers(prompt["position_ids"].get<std::string>());
    const auto features = visual_rows(golden, prompt);
    Runner runner(*golden.model, {}, 1);
    model::Batch batch;
    batch.add(runner.create(), ids, 0, model::Want::kLogits, model::Want::kLogits);
    for (size_t t = 0; t < ids.size(); ++t) {
      for (size_t axis = 0; axis < 3; ++axis)
        batch.rows[t].position[axis] = static_cast<int32_t>(positions[axis * ids.size() + t]);
      if (!features[t].empty()) batch.rows[t].embedding = features[t].data();
    }
    const auto name = prompt["logits"].get<std::string>();
    expect_close(golden, name, runner.forward(batch), golden.expected.values(name), vocab);
  }
}

// What stands before the first picture is plain text.
TEST(GoldenVision, TextOfBothVisionFamilies) {
  for (const char* name : {"qwen3_5_vision", "qwen3_vl"}) {
    const Case golden(name);
    const auto vocab = static_cast<size_t>(golden.model->config().vocab_size);
    size_t rows = 0;
    for (const auto& prompt : golden.about["prompts"]) {
      const auto types = prompt["mm_token_type_ids"].get<std::vector<int>>();
      const auto text = static_cast<size_t>(
          std::find_if(types.begin(), types.end(), [](int t) { return t != 0; }) - types.begin());
      rows += text;
      if (text == 0) continue;
      auto ids = prompt["ids"].get<std::vector<int32_t>>();
      ids.resize(text);
      Runner runner(*golden.model, {}, 1);
      auto expected = golden.expected.values(prompt["logits"].get<std::string>());
      expected.resize(text * vocab);
      expect_close(golden, name, runner.logits(ids), expected, vocab);
    }
    EXPECT_GT(rows, 0u) << name;
  }
}

}  // namespace
}  // namespace tulou::golden
