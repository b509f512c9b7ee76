// Tests of the engine on a tiny model: mixing requests changes nothing, limits hold, cancelling
// frees.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "kernels/kernels.h"

namespace tulou::engine {
namespace {

std::unique_ptr<const model::Model> load(const std::string& name) {
  base::NoProgress progress;
  const std::string folder = "tests/golden/cases/" + name + "/model";
  return model::Model::load(*checkpoint::Checkpoint::open(folder), progress);
}

class EngineTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> make(int64_t sequences, int64_t context = 200, int64_t per_step = 16) {
    EngineOptions options;
    options.context = context;
    options.num_sequences = sequences;
    options.tokens_per_step = per_step;
    return std::make_unique<Engine>(*model_, kernels::select_kernels(""), pool_, options);
  }
  static Request request(size_t length, int64_t max_tokens, int32_t first = 1) {
    Request r;
    for (size_t i = 0; i < length; ++i)
      r.prompt.push_back((first + static_cast<int32_t>(i) * 7) % 300);
    r.max_tokens = max_tokens;
    r.sampling.seed = static_cast<uint64_t>(first);
    return r;
  }
  static std::vector<int32_t> drain(TokenStream& stream) {
    std::vector<int32_t> tokens;
    while (const auto token = stream.next()) tokens.push_back(token->token);
    return tokens;
  }
  std::vector<int32_t> alone(const Request& r) {
    const auto engine = make(1);
    const auto stream = engine->submit(r);
    while (engine->step()) {
    }
    return drain(*stream);
  }
  std::string error_of(Engine& engine, const Request& r) {
    try {
      engine.submit(r);
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  }

  std::unique_ptr<const model::Model> model_ = load("qwen3_5_tied_r1");
  base::ThreadPool pool_{2};
};

TEST_F(EngineTest, SampledAnswersAreTheSameAloneAndInABatch) {
  const auto engine = make(3);
  std::vector<Request> requests;
  std::vector<std::shared_ptr<TokenStream>> streams;
  for (size_t i = 0; i < 7; ++i) {  // more than run at once: some wait
    requests.push_back(
        request(3 + 11 * i, static_cast<int64_t>(12 + i), static_cast<int32_t>(1 + i)));
    streams.push_back(engine->submit(requests.back()));
  }
  while (engine->step()) engine->cache().check_integrity();
  for (size_t i = 0; i < streams.size(); ++i) {
    EXPECT_EQ(drain(*streams[i]), alone(requests[i])) << i;
    EXPECT_EQ(streams[i]->finish_reason(), FinishReason::kLength);
    EXPECT_TRUE(streams[i]->finished());
  }
  EXPECT_EQ(engine->cache().num_free_slots(), 3);
  EXPECT_EQ(engine->cache().num_free_blocks(), engine->cache().plan().num_blocks);
}

TEST_F(EngineTest, ChoicesOfOneRequestDiffer) {
  Request r = request(10, 24);
  const auto first = alone(r);
  r.choice = 1;
  EXPECT_NE(alone(r), first);
}

TEST_F(EngineTest, StopTokensEndTheAnswerAndAreDelivered) {
  Request r = request(10, 30);
  r.greedy = true;
  const auto tokens = alone(r);
  r.stop_tokens = {tokens[4]};
  const auto engine = make(1);
  const auto stream = engine->submit(r);
  while (engine->step()) {
  }
  const auto stopped = drain(*stream);
  EXPECT_EQ(stream->finish_reason(), FinishReason::kStop);
  EXPECT_EQ(stopped.back(), tokens[4]);
}

TEST_F(EngineTest, TheContextIsFullAtItsLastToken) {
  const auto engine = make(1, 40);
  const auto stream = engine->submit(request(30, -1));
  while (engine->step()) {
  }
  EXPECT_EQ(drain(*stream).size(), 10u);
  EXPECT_EQ(stream->finish_reason(), FinishReason::kLength);
  const auto full = engine->submit(request(40, -1));  // at the bound: one token still comes
  while (engine->step()) {
  }
  EXPECT_EQ(drain(*full).size(), 1u);
}

TEST_F(EngineTest, RefusesWhatItCannotRun) {
  const auto engine = make(1, 40);
  EXPECT_EQ(error_of(*engine, request(41, 1)),
            "the prompt has 41 tokens, the context is 40 tokens");
  EXPECT_EQ(error_of(*engine, request(0, 1)), "the prompt has no tokens");
  Request bad = request(3, 1);
  const auto vocab = static_cast<int32_t>(model_->config().vocab_size);
  for (const int32_t token : {-1, vocab}) {
    bad.prompt[1] = token;
    EXPECT_EQ(error_of(*engine, bad), "token id " + std::to_string(token) +
                                          " is not in the vocabulary, which has " +
                                          std::to_string(vocab) + " entries");
  }
  EXPECT_FALSE(engine->step());
}

TEST_F(EngineTest, TheQueueHasABound) {
  const auto engine = make(1);
  for (size_t i = 0; i < EngineOptions{}.max_waiting; ++i) engine->submit(request(1, 1));
  EXPECT_NE(error_of(*engine, request(1, 1)), "");
}

TEST_F(EngineTest, AContextThatDoesNotFitNamesOneThatWould) {
  const auto dense = load("llama_tied");
  EngineOptions options;
  options.context = int64_t{1} << 40;
  try {
    const Engine engine(*dense, kernels::select_kernels(""), pool_, options);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), "engine.context_does_not_fit");
    EXPECT_NE(error.hint().find("--context"), std::string::npos);
  }
}

TEST_F(EngineTest, ACancelledStreamLeavesAndFreesItsState) {
  const auto engine = make(2);
  const auto first = engine->submit(request(100, 50));
  const auto second = engine->submit(request(5, 6, 3));
  engine->step();
  EXPECT_GT(first->num_prompt_tokens_done(), 0);
  first->cancel();
  while (engine->step()) {
  }
  EXPECT_EQ(first->finish_reason(), FinishReason::kCancelled);
  EXPECT_EQ(drain(*second), alone(request(5, 6, 3)));
  EXPECT_EQ(engine->cache().num_free_slots(), 2);
}

TEST_F(EngineTest, InterruptEndsTheStepUnderWay) {
  const auto engine = make(1, 4096, 4096);
  const auto stream = engine->submit(request(4000, 5));
  std::thread other([&] { engine->interrupt(); });
  while (engine->step()) {
  }
  other.join();
  engine->step();
  if (stream->finish_reason() == FinishReason::kCancelled) {
    EXPECT_EQ(engine->cache().num_free_slots(), 1);
  }
  engine->interrupt();  // none under way: the next step is the one that ends
  const auto next = engine->submit(request(5, 5));
  while (engine->step()) {
  }
  EXPECT_EQ(next->finish_reason(), FinishReason::kCancelled);
  const auto after = engine->submit(request(5, 6, 3));
  while (engine->step()) {
  }
  EXPECT_EQ(drain(*after), alone(request(5, 6, 3)));
}

TEST_F(EngineTest, NoTokensAskedForIsDoneAtOnce) {
  const auto engine = make(1);
  const auto stream = engine->submit(request(5, 0));
  EXPECT_EQ(stream->finish_reason(), FinishReason::kLength);
  EXPECT_TRUE(stream->finished());
  EXPECT_FALSE(engine->step());
}

// The recipe rule: an answer is the same bits whatever was kept, computed anew or interrupted.
TEST_F(EngineTest, ThePrefixCacheChangesNoBits) {
  EngineOptions options;
  options.context = 200;
  options.num_sequences = 3;
  options.tokens_per_step = 16;
  options.snapshot_interval = 20;
  options.max_prefixes = 20;
  options.cache = model::plan_cache(model_->config(), options.cache_type, 4, 200);  // too small
  options.cache->num_slots = 7;
  Engine engine(*model_, kernels::select_kernels(""), pool_, options);
  std::vector<Request> requests;
  std::vector<std::shared_ptr<TokenStream>> streams;
  for (int i = 0; i < 24; ++i) {
    Request r = request(static_cast<size_t>(90 + i % 5), 30 + i, 1 + i % 2);
    if (i % 3 == 0) r.prompt[static_cast<size_t>(70 + i % 7)] = 11;
    r.logprobs = 2;
    requests.push_back(r);
    streams.push_back(engine.submit(r));
    engine.step();
    engine.check_integrity();
  }
  while (engine.step()) engine.check_integrity();
  EXPECT_GT(engine.stats().prefixes.hits, 5);
  for (size_t i = 0; i < streams.size(); ++i) {
    const auto other = make(1);
    const auto solo = other->submit(requests[i]);
    while (other->step()) {
    }
    while (const auto token = solo->next()) {
      const auto shared = streams[i]->next();
      ASSERT_TRUE(shared.has_value());
      EXPECT_EQ(shared->token, token->token);
      EXPECT_EQ(shared->logprob, token->logprob);  // bit for bit
      ASSERT_EQ(shared->top.size(), 2u);
      EXPECT_EQ(shared->top[1].logprob, token->top[1].logprob);
    }
    EXPECT_FALSE(streams[i]->next().has_value());
  }
}

TEST_F(EngineTest, AShortPromptSaysWhyNothingIsCached) {
  EngineOptions options;
  options.context = 200;
  options.max_prefixes = 4;
  options.cache = model::plan_cache(model_->config(), options.cache_type, 4, 200);
  options.cache->num_slots = 8;
  Engine engine(*model_, kernels::select_kernels(""), pool_, options);
  const auto miss = [&](size_t length) {
    const auto stream = engine.submit(request(length, 1));
    while (engine.step()) {
    }
    return stream->usage().cache_miss;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(miss(1), CacheMiss::kTooShort);
    EXPECT_EQ(miss(16), CacheMiss::kTooShort);
    EXPECT_EQ(miss(17), CacheMiss::kNone);
  }
}

// The recipe rule: how a prompt is cut into pieces, how many threads compute, how many sequences
// run at once and whether prefixes are kept changes no bit.
TEST_F(EngineTest, PiecesThreadsAndNeighboursChangeNoBits) {
  std::vector<Request> requests;
  for (size_t i = 0; i < 8; ++i) {
    requests.push_back(request(i % 2 == 0 ? 100 : 9 * i, static_cast<int64_t>(5 + i),
                               static_cast<int32_t>(1 + i % 4)));
    requests.back().logprobs = 3;
  }
  requests[4].prompt = requests[0].prompt;  // found among the kept prefixes, if there are any
  std::vector<std::vector<OutputToken>> wanted;
  for (const int64_t piece : {1, 16, 512}) {
    for (const int threads : {1, 2}) {
      for (const int64_t sequences : {1, 3, 8}) {
        base::ThreadPool pool(static_cast<size_t>(threads));
        EngineOptions options;
        options.context = 200;
        options.num_sequences = sequences;
        options.tokens_per_step = piece;
        options.max_prefixes = sequences == 3 ? 0 : 4;
        options.snapshot_interval = 32;
        options.cache = model::plan_cache(model_->config(), options.cache_type, sequences, 200);
        options.cache->num_slots += static_cast<int64_t>(options.max_prefixes);
        Engine engine(*model_, kernels::select_kernels(""), pool, options);
        std::vector<std::shared_ptr<TokenStream>> streams;
        for (const Request& r : requests) streams.push_back(engine.submit(r));
        while (engine.step()) {
        }
        const bool first = wanted.empty();
        for (size_t i = 0; i < streams.size(); ++i) {
          if (first) wanted.emplace_back();
          size_t place = 0;
          while (const auto token = streams[i]->next()) {
            if (first) wanted[i].push_back(*token);
            ASSERT_LT(place, wanted[i].size());
            const OutputToken& other = wanted[i][place++];
            ASSERT_EQ(token->token, other.token) << piece << " " << threads << " " << sequences;
            ASSERT_EQ(token->logprob, other.logprob) << piece << " " << threads;  // bit for bit
            ASSERT_EQ(token->top.size(), 3u);
            for (size_t k = 0; k < 3; ++k)
              ASSERT_EQ(token->top[k].logprob, other.top[k].logprob) << piece << " " << threads;
          }
          ASSERT_EQ(place, static_cast<size_t>(requests[i].max_tokens));
        }
      }
    }
  }
}

TEST_F(EngineTest, PromptLogprobsAreThoseOfTheAnswerThatSaysTheSame) {
  Request r = request(20, 30);
  r.greedy = true;
  r.logprobs = 0;
  const auto engine = make(1);
  const auto answer = engine->submit(r);
  while (engine->step()) {
  }
  std::vector<float> logprobs;
  while (const auto token = answer->next()) {
    r.prompt.push_back(token->token);
    logprobs.push_back(token->logprob);
  }
  r.prompt_logprobs = 1;
  r.max_tokens = 0;
  const auto echo = engine->submit(r);
  while (engine->step()) {
  }
  EXPECT_EQ(echo->finish_reason(), FinishReason::kStop);
  const auto prompt = echo->take_prompt_logprobs();
  ASSERT_EQ(prompt.size(), 49u);
  for (size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(prompt[19 + i].token, r.prompt[20 + i]);
    EXPECT_EQ(prompt[19 + i].logprob, logprobs[i]) << i;
    EXPECT_EQ(prompt[19 + i].top[0].token, r.prompt[20 + i]);
  }
}

TEST_F(EngineTest, ScoresAndHiddenStatesInPlaceOfAnAnswer) {
  Request r = request(20, 1);
  r.greedy = true;
  r.logprobs = 3;
  const auto engine = make(2);
  const auto answer = engine->submit(r);
  Request scores = r;
  scores.yield = Yield::kScores;
  Request hidden = r;
  hidden.yield = Yield::kHidden;
  const auto state = engine->submit(hidden);
  while (engine->step()) {
  }
  const auto token = answer->next();
  for (const TokenLogprob& top : token->top) scores.score_tokens.push_back(top.token);
  const auto scored = engine->submit(scores);
  while (engine->step()) {
  }
  const std::vector<float> values = scored->take_values();
  ASSERT_EQ(values.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(values[i], token->top[i].logprob);
  EXPECT_EQ(state->take_values().size(), static_cast<size_t>(model_->config().hidden_size));
  EXPECT_FALSE(state->next().has_value());
}

TEST_F(EngineTest, ACancelledStreamEndsTheStepIfItIsAlone) {
  const auto engine = make(2, 200, 200);
  const auto stream = engine->submit(request(150, 10));
  stream->cancel();
  EXPECT_FALSE(engine->step());
  EXPECT_EQ(stream->finish_reason(), FinishReason::kCancelled);
  const auto other = engine->submit(request(10, 5));
  while (engine->step()) {
  }
  EXPECT_EQ(drain(*other).size(), 5u);
  EXPECT_EQ(engine->cache().num_free_slots(), 2);
}

}  // namespace
}  // namespace tulou::engine
