// Tests of disk_tier.h through the engine: after a restart a prompt costs only what is new, with
// the same bits.
#include "engine/disk_tier.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "checkpoint/checkpoint.h"
#include "engine/engine.h"
#include "kernels/kernels.h"

namespace tulou::engine {
namespace {

namespace fs = std::filesystem;

class DiskTierTest : public testing::TestWithParam<const char*> {
 protected:
  DiskTierTest() : folder_(testing::TempDir() + "tulou_disk_tier_" + std::to_string(::getpid())) {
    fs::remove_all(folder_);
    base::NoProgress progress;
    const std::string model = std::string("tests/golden/cases/") + GetParam() + "/model";
    model_ = model::Model::load(*checkpoint::Checkpoint::open(model), progress);
  }
  ~DiskTierTest() override { fs::remove_all(folder_); }

  std::shared_ptr<PrefixStore> store() {
    return std::make_shared<PrefixStore>(PrefixStoreOptions{
        folder_, 1u << 30, [this](const base::Error& e) { heard_.push_back(e.id()); }});
  }
  std::unique_ptr<Engine> make(std::shared_ptr<PrefixStore> store, uint8_t identity = 1) {
    EngineOptions options;
    options.context = 400;
    options.num_sequences = 3;
    options.tokens_per_step = 32;
    options.max_prefixes = 12;
    options.cache = model::plan_cache(model_->config(), options.cache_type, 8, 400);
    options.cache->num_slots = 16;
    options.store = std::move(store);
    options.store_identity.fill(identity);
    return std::make_unique<Engine>(*model_, kernels::select_kernels(""), pool_, options);
  }
  static Request request(size_t length, int32_t first = 1) {
    Request r;
    for (size_t i = 0; i < length; ++i)
      r.prompt.push_back((first + static_cast<int32_t>(i) * 7) % 300);
    r.max_tokens = 40;
    r.greedy = true;
    r.logprobs = 2;
    r.cache_scope = "someone";
    return r;
  }
  struct Answer {
    std::vector<int32_t> tokens;
    std::vector<float> logprobs;
    StreamUsage usage;
  };
  static Answer ask(Engine& engine, const Request& request) {
    const auto stream = engine.submit(request);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (stream->finish_reason() == FinishReason::kNone &&
           std::chrono::steady_clock::now() < end) {
      if (!engine.step()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      engine.check_integrity();
    }
    EXPECT_EQ(stream->finish_reason(), FinishReason::kLength);
    Answer answer;
    answer.usage = stream->usage();
    while (const auto token = stream->next()) {
      answer.tokens.push_back(token->token);
      answer.logprobs.push_back(token->logprob);
      for (const TokenLogprob& top : token->top) answer.logprobs.push_back(top.logprob);
    }
    return answer;
  }
  // The next turn: the prompt and its answer, and something new.
  static Request next_turn(const Request& before, const Answer& answer) {
    Request r = before;
    r.prompt.insert(r.prompt.end(), answer.tokens.begin(), answer.tokens.end());
    for (int32_t i = 0; i < 20; ++i) r.prompt.push_back(250 - i);
    return r;
  }

  std::string folder_;
  std::vector<std::string> heard_;
  std::unique_ptr<const model::Model> model_;
  base::ThreadPool pool_{2};
};

TEST_P(DiskTierTest, AfterARestartATurnCostsWhatIsNew) {
  const Answer first = ask(*make(store()), request(90));
  const Request turn = next_turn(request(90), first);
  const Answer alone = ask(*make(nullptr), turn);
  EXPECT_EQ(alone.usage.cached_tokens, 0);
  const auto engine = make(store());
  const Answer second = ask(*engine, turn);
  EXPECT_EQ(second.usage.cached_tokens, 129);  // all but the answer's last token
  EXPECT_EQ(second.tokens, alone.tokens);
  EXPECT_EQ(second.logprobs, alone.logprobs);  // bit for bit
  EXPECT_EQ(engine->stats().disk->hits, 1);
  EXPECT_EQ(engine->stats().disk->tokens_found, 129);
  EXPECT_EQ(engine->stats().disk->store.damaged, 0);
  // Nobody else's.
  Request other = turn;
  other.cache_scope = "someone else";
  EXPECT_EQ(ask(*engine, other).usage.cached_tokens, 0);
  Request none = turn;
  none.use_prefix_cache = false;
  EXPECT_EQ(ask(*engine, none).usage.cached_tokens, 0);
  EXPECT_EQ(engine->stats().disk->hits, 1);
}

TEST_P(DiskTierTest, AnotherIdentitySharesNothing) {
  const Answer first = ask(*make(store(), 1), request(90));
  const auto engine = make(store(), 2);
  EXPECT_EQ(ask(*engine, next_turn(request(90), first)).usage.cached_tokens, 0);
  EXPECT_EQ(engine->stats().disk->hits, 0);
}

TEST_P(DiskTierTest, DamagedFilesAreComputedAnew) {
  const Answer first = ask(*make(store()), request(90));
  const Request turn = next_turn(request(90), first);
  const Answer alone = ask(*make(nullptr), turn);
  const auto engine = make(store());
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".state") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-100, std::ios::end);
    file.put('!');
  }
  const Answer second = ask(*engine, turn);
  EXPECT_EQ(second.tokens, alone.tokens);
  EXPECT_EQ(second.logprobs, alone.logprobs);
  EXPECT_EQ(second.usage.cached_tokens, 0);
  EXPECT_EQ(engine->stats().disk->store.damaged, 1);
  EXPECT_EQ(heard_, std::vector<std::string>{"cache.damaged_file"});
}

TEST_P(DiskTierTest, ManyAtOnceAndCancelled) {
  std::vector<Answer> firsts;
  {
    const auto engine = make(store());
    for (int32_t i = 0; i < 6; ++i) firsts.push_back(ask(*engine, request(60, 1 + i)));
  }
  const auto engine = make(store());
  std::vector<std::shared_ptr<TokenStream>> streams;
  for (int32_t i = 0; i < 24; ++i) {
    const auto n = static_cast<size_t>(i % 6);
    streams.push_back(engine->submit(next_turn(request(60, 1 + i % 6), firsts[n])));
    if (i % 5 == 4) streams.back()->cancel();
  }
  const auto all_finished = [&] {
    return std::ranges::all_of(
        streams, [](const auto& s) { return s->finish_reason() != FinishReason::kNone; });
  };
  for (int i = 0; i < 20000 && !all_finished(); ++i) {
    if (!engine->step()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    engine->check_integrity();
  }
  EXPECT_TRUE(all_finished());
  EXPECT_GT(engine->stats().disk->hits, 0);
  for (size_t i = 0; i < streams.size(); ++i) {
    if (streams[i]->finish_reason() == FinishReason::kCancelled) continue;
    std::vector<int32_t> tokens;
    while (const auto token = streams[i]->next()) tokens.push_back(token->token);
    const auto n = static_cast<int32_t>(i % 6);
    if (i >= 6) continue;
    EXPECT_EQ(tokens, ask(*make(nullptr), next_turn(request(60, 1 + n), firsts[i])).tokens);
  }
}

TEST_P(DiskTierTest, AnEngineThatEndsWhileSomethingIsLoadedLeavesNobodyWaiting) {
  const Answer first = ask(*make(store()), request(90));
  for (int steps = 0; steps < 3; ++steps) {
    std::shared_ptr<TokenStream> stream;
    {
      const auto engine = make(store());
      stream = engine->submit(next_turn(request(90), first));
      for (int i = 0; i < steps; ++i) engine->step();
    }
    EXPECT_EQ(stream->finish_reason(), FinishReason::kCancelled);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DiskTierTest, testing::Values("qwen3_5_tied_r1", "qwen3_tied"));

}  // namespace
}  // namespace tulou::engine
