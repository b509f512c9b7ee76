// Tests of engine_thread.h: requests from many threads; run with ThreadSanitizer too.
#include "engine/engine_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "kernels/kernels.h"

namespace tulou::engine {
namespace {

class EngineThreadTest : public testing::Test {
 protected:
  EngineThreadTest() {
    base::NoProgress progress;
    model_ = model::Model::load(
        *checkpoint::Checkpoint::open("tests/golden/cases/qwen3_5_tied_r1/model"), progress);
  }
  std::unique_ptr<Engine> make(int64_t sequences) {
    EngineOptions options;
    options.context = 256;
    options.num_sequences = sequences;
    options.tokens_per_step = 32;
    options.cache = model::plan_cache(model_->config(), options.cache_type, sequences + 8, 256);
    options.max_prefixes = 64;
    return std::make_unique<Engine>(*model_, kernels::select_kernels(""), pool_, options);
  }
  static Request request(int32_t kind, int64_t max_tokens) {
    Request r;
    for (int32_t i = 0; i < 80; ++i) r.prompt.push_back((i < 70 ? i : i * kind) % 300);
    r.max_tokens = max_tokens;
    r.greedy = true;
    r.tenant = std::to_string(kind % 3);
    return r;
  }
  static std::vector<int32_t> finish(TokenStream& stream) {
    std::vector<int32_t> tokens;
    while (!stream.finished()) {
      while (const auto token = stream.next()) tokens.push_back(token->token);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return tokens;
  }

  std::unique_ptr<const model::Model> model_;
  base::ThreadPool pool_{2};
};

TEST_F(EngineThreadTest, ManyThreadsGetTheirOwnAnswers) {
  std::vector<std::vector<int32_t>> alone;
  for (int32_t kind = 1; kind <= 4; ++kind) {
    const auto engine = make(1);
    const auto stream = engine->submit(request(kind, 20));
    while (engine->step()) {
    }
    alone.push_back(finish(*stream));
  }
  const auto engine = make(3);
  EngineThread thread;
  thread.add(*engine);
  std::atomic<int> calls{0}, wrong{0};
  std::vector<std::thread> users;
  for (int32_t kind = 1; kind <= 4; ++kind) {
    users.emplace_back([&, kind] {
      for (int i = 0; i < 6; ++i) {
        Request r = request(kind, 20);
        r.on_output = [&] { ++calls; };
        const auto stream = engine->submit(r);
        if (i % 3 == 2) stream->cancel();
        const auto answer = finish(*stream);
        const auto& whole = alone[static_cast<size_t>(kind - 1)];
        if (i % 3 == 2 ? answer.size() > whole.size() : answer != whole) ++wrong;
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(calls, 4 * 4 * 20);
  EXPECT_GT(engine->stats().prefixes.hits, 0);
  thread.remove(*engine);
  engine->check_integrity();
}

TEST_F(EngineThreadTest, EnginesTakeTurnsAndLeave) {
  EngineThread thread;
  const auto first = make(1);
  thread.add(*first);
  const auto a = first->submit(request(1, 100));
  {
    const auto second = make(1);
    thread.add(*second);
    const auto b = second->submit(request(1, 5));
    EXPECT_EQ(finish(*b).size(), 5u);
    const auto c = second->submit(request(1, -1));
    thread.remove(*second);
  }
  EXPECT_EQ(finish(*a).size(), 100u);
  thread.remove(*first);
}

TEST_F(EngineThreadTest, StreamsOutliveTheirEngine) {
  auto engine = make(1);
  std::atomic<int> calls{0};
  Request r = request(1, 5);
  r.on_output = [&] { ++calls; };
  const auto stream = engine->submit(r);
  engine.reset();
  EXPECT_EQ(stream->finish_reason(), FinishReason::kCancelled);
  EXPECT_EQ(calls, 1);
  stream->cancel();
}

}  // namespace
}  // namespace tulou::engine
