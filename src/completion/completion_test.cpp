#include "completion/completion.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/progress.h"
#include "completion/tiny_text_model.h"

namespace tulou::completion {
namespace {

// A small random model with a tokenizer put beside it. Ids without a token give no text.
class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    folder_.copy_from("tests/golden/cases/qwen3_tied/model");
    folder_.write("generation_config.json", R"({"eos_token_id":[]})");
    const auto checkpoint = checkpoint::Checkpoint::open(folder_.path());
    base::NoProgress progress;
    model_ = model::Model::load(*checkpoint, progress);
    text_model_.emplace(TextModel::open(folder_.path()));
    engine::EngineOptions options;
    options.context = 128;
    options.cache_type = nn::CacheType::kF32;
    engine_.emplace(*model_, kernels::select_kernels("portable"), threads_, options);
  }

  // Greedy ids straight from the engine.
  std::vector<int32_t> greedy(const std::vector<int32_t>& prompt, int64_t count) {
    engine::Request request;
    request.prompt = prompt;
    request.max_tokens = count;
    request.greedy = true;
    const auto stream = engine_->submit(request);
    while (engine_->step()) {
    }
    std::vector<int32_t> ids;
    while (const auto token = stream->next()) ids.push_back(token->token);
    return ids;
  }

  CompletionRequest request(int64_t max_tokens) const {
    CompletionRequest request;
    request.prompt.ids = {'H', 'e', 'l', 'l', 'o'};
    request.sampling.temperature = 0;
    request.max_tokens = max_tokens;
    return request;
  }

  // The pieces joined; they must be what the result holds.
  std::string run(Completion& completion) {
    std::string text;
    bool more = true;
    while (more) {
      more = completion.step();
      for (const Piece& piece : completion.take()) text += piece.text;
    }
    EXPECT_EQ(text, completion.result().reasoning + completion.result().text);
    return completion.result().text;
  }

  TinyFolder folder_;
  base::ThreadPool threads_{1};
  std::unique_ptr<const model::Model> model_;
  std::optional<TextModel> text_model_;
  std::optional<engine::Engine> engine_;
};

TEST_F(CompletionTest, TextOfTheEnginesTokens) {
  const std::vector<int32_t> ids = greedy({'H', 'e', 'l', 'l', 'o'}, 24);
  ASSERT_EQ(ids.size(), 24u);
  const std::vector<int32_t> stops = text_model_->stop_tokens(model_->config());
  std::vector<int32_t> shown;
  for (const int32_t id : ids) {
    if (std::find(stops.begin(), stops.end(), id) != stops.end()) break;
    shown.push_back(id);
  }
  Completion completion(*text_model_, *engine_, request(24));
  EXPECT_EQ(run(completion), text_model_->tokenizer().decode(shown, text::ShowSpecial::kHide));
  const CompletionResult& result = completion.result();
  EXPECT_EQ(result.prompt_tokens, 5);
  EXPECT_EQ(result.generated_tokens,
            static_cast<int64_t>(shown.size() < 24 ? shown.size() + 1 : 24));
  EXPECT_EQ(result.finish_reason,
            shown.size() < 24 ? engine::FinishReason::kStop : engine::FinishReason::kLength);
  EXPECT_GT(result.prompt_speed(), 0);
}

TEST_F(CompletionTest, StopStringEndsItAndTheEngineIsFree) {
  Completion whole(*text_model_, *engine_, request(24));
  const std::string text = run(whole);
  ASSERT_GE(text.size(), 6u);
  // Bytes from the middle of the answer that are a whole character each.
  size_t at = text.size() / 2;
  while (at < text.size() && (text[at] & 0x80) != 0) ++at;
  ASSERT_LT(at, text.size());
  CompletionRequest stopped = request(24);
  stopped.stops = {text.substr(at, 1)};
  Completion completion(*text_model_, *engine_, std::move(stopped));
  EXPECT_EQ(run(completion), text.substr(0, text.find(text[at])));
  EXPECT_EQ(completion.result().finish_reason, engine::FinishReason::kStop);
  EXPECT_FALSE(engine_->step());
  EXPECT_EQ(engine_->cache().num_free_blocks(), engine_->cache().plan().num_blocks);
}

TEST_F(CompletionTest, InterruptEndsIt) {
  Completion completion(*text_model_, *engine_, request(-1));
  ASSERT_TRUE(completion.step());
  engine_->interrupt();
  run(completion);
  EXPECT_EQ(completion.result().finish_reason, engine::FinishReason::kCancelled);
}

TEST_F(CompletionTest, PromptLongerThanTheContextNamesBothNumbers) {
  CompletionRequest too_long = request(1);
  too_long.prompt.ids.assign(129, 'a');
  try {
    Completion completion(*text_model_, *engine_, std::move(too_long));
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), "engine.prompt_too_long");
    EXPECT_NE(std::string(error.what()).find("129"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("128"), std::string::npos);
  }
}

TEST_F(CompletionTest, WrongSamplingIsRefused) {
  CompletionRequest wrong = request(1);
  wrong.sampling.top_p = 2;
  EXPECT_THROW(Completion(*text_model_, *engine_, std::move(wrong)), base::Error);
}

TEST(FinishReasonName, AllOfThem) {
  EXPECT_EQ(finish_reason_name(engine::FinishReason::kStop), "stop");
  EXPECT_EQ(finish_reason_name(engine::FinishReason::kLength), "length");
  EXPECT_EQ(finish_reason_name(engine::FinishReason::kCancelled), "cancelled");
  EXPECT_EQ(finish_reason_name(engine::FinishReason::kNone), "none");
}

}  // namespace
}  // namespace tulou::completion
