// Tests of scheduler.h under a simulator: a stand-in for the model writes each token where its
// state belongs and checks all that came before, so that a wrong block, slot or prefix shows at
// once.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <set>

#include "base/number.h"
#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "model/model.h"

namespace tulou::engine {
namespace {

constexpr uint32_t kSeed = 17;

uint32_t mixed(uint32_t state, int32_t token) {
  return (state ^ static_cast<uint32_t>(token)) * 2654435761u + 1;
}
uint32_t state_of(std::span<const int32_t> tokens) {
  uint32_t state = kSeed;
  for (const int32_t token : tokens) state = mixed(state, token);
  return state;
}
int32_t next_token(uint32_t state) { return static_cast<int32_t>(state >> 8) % 1000; }

const model::ModelConfig& config_of(const std::string& name) {
  static std::map<std::string, model::ModelConfig> configs;
  if (!configs.contains(name)) {
    const std::string folder = "tests/golden/cases/" + name + "/model";
    configs[name] = model::read_model_config(*checkpoint::Checkpoint::open(folder));
  }
  return configs[name];
}

// One engine's worth of scheduling.
class Simulator {
 public:
  Simulator(const std::string& model, const SchedulerOptions& options, int64_t blocks,
            int64_t slots, size_t prefixes)
      : config_(config_of(model)),
        options_(options),
        cache_(config_, nn::CacheType::kF32, plan(blocks, slots)),
        prefixes_(cache_, cache_.plan().slot_bytes > 0, prefixes),
        scheduler_(options, cache_, prefixes_) {
    for (size_t i = 0; i < config_.layers.size(); ++i) {
      const bool full = config_.layers[i].mixer == model::Mixer::kFullAttention;
      (full ? attention_layer_ : delta_layer_) = i;
      has_delta_ = has_delta_ || !full;
    }
  }

  std::shared_ptr<Sequence> add(Request request) {
    auto sequence = std::make_shared<Sequence>();
    sequence->stream =
        std::make_shared<TokenStream>(static_cast<int64_t>(request.prompt.size()), nullptr);
    sequence->tokens = request.prompt;
    sequence->request = std::move(request);
    scheduler_.add(sequence);
    return sequence;
  }

  // False if there was nothing to do.
  bool step(int64_t prompt_tokens) {
    const ScheduledBatch scheduled = scheduler_.schedule(prompt_tokens);
    if (scheduled.empty()) return false;
    std::vector<Chosen> chosen;
    for (size_t i = 0; i < scheduled.entries.size(); ++i) {
      const uint32_t state = compute(scheduled, i);
      if (!scheduled.entries[i].samples) continue;
      chosen.emplace_back();
      chosen.back().token.token = next_token(state);
    }
    scheduler_.commit(scheduled, chosen);
    for (const auto& stream : scheduler_.take_finished())
      EXPECT_TRUE(finished_.insert(stream).second);
    scheduler_.check_integrity();
    return true;
  }

  Scheduler& scheduler() { return scheduler_; }
  PrefixCache& prefixes() { return prefixes_; }
  const model::StateCache& cache() const { return cache_; }
  size_t num_finished() const { return finished_.size(); }
  int64_t rows_computed() const { return rows_; }

 private:
  model::CachePlan plan(int64_t blocks, int64_t slots) const {
    model::CachePlan plan = model::plan_cache(config_, nn::CacheType::kF32, 1, 64);
    plan.num_blocks = blocks;
    plan.num_slots = slots;
    return plan;
  }

  // Writes an entry's tokens into its state, and checks the state against the sequence's tokens.
  uint32_t compute(const ScheduledBatch& scheduled, size_t i) {
    const model::BatchSequence& rows = scheduled.batch.sequences[i];
    const Sequence& sequence = *scheduled.entries[i].sequence;
    const nn::AttentionState attention = cache_.attention_state(rows.handle, attention_layer_);
    const auto place = [&](int64_t position) {
      const int32_t block = attention.blocks[static_cast<size_t>(position / 64)];
      return attention.base + static_cast<size_t>(block) * attention.block_stride +
             static_cast<size_t>(position % 64) * sizeof(int32_t);
    };
    uint32_t state = kSeed;
    uint32_t* slot = nullptr;
    if (has_delta_) {
      const nn::DeltaState delta = cache_.delta_state(rows.handle, delta_layer_);
      slot = reinterpret_cast<uint32_t*>(delta.recurrent);
      if (!delta.empty) state = *slot;
    } else {
      state = state_of(std::span(sequence.tokens).first(static_cast<size_t>(sequence.num_cached)));
    }
    for (size_t row = rows.begin; row < rows.end; ++row) {
      const model::BatchRow& r = scheduled.batch.rows[row];
      std::memcpy(place(r.position[0]), &r.token, sizeof(r.token));
      state = mixed(state, r.token);
      ++rows_;
    }
    if (slot != nullptr) *slot = state;
    const auto length = static_cast<size_t>(sequence.num_cached + scheduled.entries[i].num_tokens);
    for (size_t position = 0; position < length; ++position) {
      int32_t token = -1;
      std::memcpy(&token, place(static_cast<int64_t>(position)), sizeof(token));
      EXPECT_EQ(token, sequence.tokens[position]) << "position " << position;
    }
    EXPECT_EQ(state, state_of(std::span(sequence.tokens).first(length)));
    return state;
  }

  model::ModelConfig config_;
  SchedulerOptions options_;
  model::StateCache cache_;
  PrefixCache prefixes_;
  Scheduler scheduler_;
  size_t attention_layer_ = 0, delta_layer_ = 0;
  bool has_delta_ = false;
  int64_t rows_ = 0;
  std::set<std::shared_ptr<TokenStream>> finished_;
};

std::vector<int32_t> text(size_t length, int32_t kind) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < length; ++i)
    tokens.push_back((kind * 131 + static_cast<int32_t>(i) * 7) % 1000);
  return tokens;
}

Request request_of(std::vector<int32_t> prompt, int64_t max_tokens, std::string tenant = "") {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.tenant = request.cache_scope = std::move(tenant);
  return request;
}

std::vector<int32_t> expected(const Request& request, int64_t context) {
  std::vector<int32_t> tokens = request.prompt, answer;
  while (static_cast<int64_t>(answer.size()) != request.max_tokens &&
         static_cast<int64_t>(tokens.size()) < context) {
    answer.push_back(next_token(state_of(tokens)));
    tokens.push_back(answer.back());
  }
  return answer;
}

std::vector<int32_t> drain(TokenStream& stream) {
  std::vector<int32_t> tokens;
  while (const auto token = stream.next()) tokens.push_back(token->token);
  return tokens;
}

// Random arrivals, shared beginnings, cancels, tenants and priorities in a cache that is too small.
void simulate(uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  const bool recurrent = below(2) == 0;
  SchedulerOptions options;
  options.num_sequences = 1 + below(6);
  options.context = 64 * (2 + below(6));
  options.snapshot_interval = below(3) == 0 ? 64 + below(100) : 0;
  const int64_t blocks = options.context / 64 + below(12);
  const int64_t slots = recurrent ? options.num_sequences + below(6) : options.num_sequences + 64;
  Simulator simulator(recurrent ? "qwen3_5_tied_r1" : "qwen3_tied", options, blocks, slots,
                      below(4) == 0 ? 0 : 1 + below(40));
  std::vector<std::shared_ptr<Sequence>> all;
  const size_t total = 5 + below(25);
  size_t steps = 0;
  while (true) {
    if (all.size() < total && below(3) == 0) {
      const uint32_t length = 1 + below(static_cast<uint32_t>(options.context) - 1);
      std::vector<int32_t> prompt = text(length, static_cast<int32_t>(below(3)));
      if (below(2) == 0) prompt[below(length)] = 999;  // parts from the others somewhere
      Request request = request_of(std::move(prompt), 1 + below(90), std::string(below(3), 'x'));
      request.priority = below(2);
      if (below(8) == 0) request.use_prefix_cache = false;
      if (below(2) == 0) request.boundaries = {static_cast<int64_t>(1 + below(length))};
      all.push_back(simulator.add(std::move(request)));
    }
    if (!all.empty() && below(40) == 0)
      all[below(static_cast<uint32_t>(all.size()))]->stream->cancel();
    const bool worked = simulator.step(1 + below(100));
    ASSERT_LT(++steps, 100000u) << "nothing finishes";
    if (!worked && all.size() == total) break;
  }
  EXPECT_EQ(simulator.scheduler().num_waiting() + simulator.scheduler().num_running(), 0u);
  for (const auto& sequence : all) {
    const FinishReason reason = sequence->stream->finish_reason();
    std::vector<int32_t> answer = drain(*sequence->stream);
    std::vector<int32_t> whole = expected(sequence->request, options.context);
    if (reason == FinishReason::kCancelled) whole.resize(std::min(whole.size(), answer.size()));
    EXPECT_NE(reason, FinishReason::kNone);
    EXPECT_EQ(answer, whole);
  }
  simulator.prefixes().clear();
  EXPECT_EQ(simulator.cache().num_free_blocks(), blocks);
  EXPECT_EQ(simulator.cache().num_free_slots(), slots);
}

// TULOU_SIMULATIONS: how many seeds (a campaign takes more).
TEST(Scheduler, ASimulatorFindsNothingWrong) {
  const char* wanted = std::getenv("TULOU_SIMULATIONS");
  const auto seeds =
      wanted == nullptr ? 1000u : static_cast<uint32_t>(base::parse_uint(wanted).value());
  for (uint32_t seed = 0; seed < seeds; ++seed) {
    simulate(seed);
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

SchedulerOptions options_for(int64_t sequences) {
  SchedulerOptions options;
  options.num_sequences = sequences;
  options.context = 1024;
  options.snapshot_interval = 0;
  return options;
}

TEST(Scheduler, APromptAskedAgainCostsItsLastTokens) {
  for (const char* model : {"qwen3_5_tied_r1", "qwen3_tied"}) {
    Simulator simulator(model, options_for(2), 100, 40, 30);
    simulator.add(request_of(text(500, 1), 3));
    while (simulator.step(512)) {
    }
    const int64_t before = simulator.rows_computed();
    const auto again = simulator.add(request_of(text(500, 1), 3));
    while (simulator.step(512)) {
    }
    EXPECT_EQ(simulator.rows_computed() - before, 3) << model;  // one of the prompt, two answers
    EXPECT_EQ(again->stream->usage().cached_tokens, 499);
  }
}

TEST(Scheduler, TheNextTurnCostsWhatIsNew) {
  Simulator simulator("qwen3_5_tied_r1", options_for(2), 100, 40, 30);
  const auto first = simulator.add(request_of(text(300, 1), 20));
  while (simulator.step(512)) {
  }
  std::vector<int32_t> prompt = first->tokens;
  for (const int32_t token : text(30, 2)) prompt.push_back(token);
  const auto second = simulator.add(request_of(prompt, 5));
  while (simulator.step(512)) {
  }
  EXPECT_EQ(second->stream->usage().cached_tokens, 319);  // the last one was never computed
}

// Those that come together share as well: one computes the common part, the others wait for it.
TEST(Scheduler, ACommonBeginningIsComputedOnce) {
  for (const char* model : {"qwen3_5_tied_r1", "qwen3_tied"}) {
    Simulator simulator(model, options_for(8), 200, 60, 40);
    for (int32_t i = 0; i < 8; ++i) {
      std::vector<int32_t> prompt = text(256, 1);
      for (const int32_t token : text(100, 10 + i)) prompt.push_back(token);
      prompt[256] = i;
      simulator.add(request_of(prompt, 1));
    }
    while (simulator.step(512)) {
    }
    EXPECT_EQ(simulator.rows_computed(), 256 + 8 * 100) << model;
  }
}

TEST(Scheduler, ScopesShareNothing) {
  Simulator simulator("qwen3_tied", options_for(2), 100, 40, 30);
  simulator.add(request_of(text(300, 1), 3, "a"));
  while (simulator.step(512)) {
  }
  const auto other = simulator.add(request_of(text(300, 1), 3, "b"));
  while (simulator.step(512)) {
  }
  EXPECT_EQ(other->stream->usage().cached_tokens, 0);
  EXPECT_EQ(other->stream->usage().known_tokens, 0);
}

// A state that is not there is told: the tokens are known, but they part where none was kept.
TEST(Scheduler, AMissingStateIsTold) {
  Simulator simulator("qwen3_5_tied_r1", options_for(1), 100, 40, 30);
  simulator.add(request_of(text(300, 1), 3));
  while (simulator.step(512)) {
  }
  std::vector<int32_t> edited = text(300, 1);
  edited[200] = 999;
  const auto second = simulator.add(request_of(edited, 3));
  while (simulator.step(512)) {
  }
  EXPECT_EQ(second->stream->usage().cache_miss, CacheMiss::kNoState);
  EXPECT_EQ(second->stream->usage().known_tokens, 200);
  edited[200] = 998;  // the second one kept a state where it parted
  const auto third = simulator.add(request_of(edited, 3));
  while (simulator.step(512)) {
  }
  EXPECT_EQ(third->stream->usage().cached_tokens, 200);
  EXPECT_EQ(third->stream->usage().cache_miss, CacheMiss::kNone);
}

// One tenant floods; another gets its place at once and half of the work.
TEST(Scheduler, TenantsShareFairly) {
  Simulator simulator("qwen3_tied", options_for(4), 400, 80, 0);
  for (int32_t i = 0; i < 40; ++i) simulator.add(request_of(text(50, i), 50, "flood"));
  for (int i = 0; i < 10; ++i) simulator.step(64);
  std::vector<std::shared_ptr<Sequence>> others;
  for (int32_t i = 0; i < 12; ++i)
    others.push_back(simulator.add(request_of(text(50, 50 + i), 50, "b")));
  simulator.step(64);
  EXPECT_TRUE(others[0]->handle.has_value());
  size_t steps = 0;
  const auto done = [&] {
    return std::ranges::all_of(others, [](const auto& s) { return s->finished; });
  };
  while (!done() && steps < 10000) {
    simulator.step(64);
    ++steps;
  }
  // 12 answers of 100 tokens on half of 4 places: about 12 x 52 / 2 steps; alone it were half.
  EXPECT_LE(steps, 12u * 52 / 2 * 3 / 2);
  EXPECT_GT(simulator.scheduler().num_waiting(), 5u);
}

TEST(Scheduler, NobodyStarves) {
  Simulator simulator("qwen3_tied", options_for(1), 40, 40, 0);
  Request patient = request_of(text(5, 1), 1);
  patient.priority = 9;
  const auto sequence = simulator.add(patient);
  int64_t before = 0;
  while (!sequence->finished) {
    simulator.add(request_of(text(5, 2), 1));
    simulator.step(64);
    ASSERT_LT(++before, Scheduler::kMaxPassedOver + 3);
  }
  EXPECT_GT(before, 10);
}

}  // namespace
}  // namespace tulou::engine
