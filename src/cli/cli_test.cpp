// Parts of the program that need no model of their own, and the passes over a small model. The
// commands as a whole (main.cpp run.cpp chat.cpp chat_loop.cpp chat_answerer.cpp line_reader.cpp
// interrupt.cpp ps.cpp stop.cpp inspect.cpp inspect_text.cpp keys.cpp tokenize.cpp
// detokenize.cpp render.cpp logits.cpp generate.cpp embed.cpp perplexity.cpp
// answer_printer.cpp output.cpp) are run by tests/e2e/compare.py; quantize.cpp, imatrix.cpp and
// gguf_vocabulary.cpp by tests/quantize/compare.py.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json_value.h"
#include "cli/forward_pass.h"
#include "cli/forward_rows.h"
#include "cli/inspect_report.h"
#include "cli/progress_bar.h"
#include "cli/session.h"
#include "cli/text_input.h"

namespace tulou::cli {
namespace {

constexpr const char* kModel = "tests/golden/cases/qwen3_5_tied_r1/model";

std::string error_id(const std::function<void()>& f) {
  try {
    f();
  } catch (const base::Error& error) {
    return error.id();
  }
  return "no error";
}

TEST(ResolveModel, PathsAndNames) {
  EXPECT_EQ(resolve_model(kModel), kModel);
  EXPECT_EQ(error_id([] { resolve_model("qwen3.5:0.8b"); }), "cli.store_missing");
  EXPECT_EQ(error_id([] { resolve_model("no/such"); }), "file.not_found");
  EXPECT_EQ(error_id([] { resolve_model("such.gguf"); }), "file.not_found");
}

TEST(TextInput, ChecksUtf8) {
  EXPECT_EQ(checked_text("caf\xc3\xa9", "x", Invalid::kRefuse), "caf\xc3\xa9");
  EXPECT_EQ(checked_text("a\xff", "x", Invalid::kReplace), "a\xef\xbf\xbd");
  try {
    checked_text("ab\xff", "the prompt", Invalid::kRefuse);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), "cli.not_utf8");
    EXPECT_EQ(error.arguments(), (std::vector<std::string>{"the prompt", "2"}));
  }
}

TEST(InspectReport, TellsLayersMemoryAndTensors) {
  const base::Json report = inspect_model(kModel, "portable");
  EXPECT_EQ(report["kernels"]["chosen"], "portable");
  EXPECT_EQ(report["layers"]["total"], report["layers"]["full_attention"].get<int64_t>() +
                                           report["layers"]["linear_attention"].get<int64_t>());
  EXPECT_TRUE(report["tokenizer"].is_null());
  uint64_t bytes = 0;
  for (const base::Json& tensor : report["tensors"]) bytes += tensor["bytes"].get<uint64_t>();
  EXPECT_EQ(bytes, report["memory"]["file_tensor_bytes"].get<uint64_t>());
  const std::string text = report_text(report);
  EXPECT_NE(text.find("recurrent state"), std::string::npos);
  EXPECT_NE(kernels_text(report["kernels"]).find("portable"), std::string::npos);
  EXPECT_EQ(error_id([] { inspect_kernels("sse9"); }), "hardware.unknown_level");
}

class ForwardRowsTest : public testing::Test {
 protected:
  static ModelSettings settings() {
    ModelSettings settings;
    settings.isa = "portable";
    settings.threads = 1;
    return settings;
  }
  std::vector<float> logits(const std::vector<std::vector<int32_t>>& ids, int64_t split,
                            bool batch) {
    ForwardRows rows(session_, cancel_, progress_);
    std::vector<float> out;
    const auto sink = [&](std::span<const float> values) {
      out.insert(out.end(), values.begin(), values.end());
    };
    batch ? rows.logits_batch(ids, split, sink) : rows.logits(ids, split, sink);
    return out;
  }
  ProgressBar progress_;
  std::atomic<bool> cancel_{false};
  Session session_{kModel, settings(), Precision::kExact, progress_};
};

TEST_F(ForwardRowsTest, RowsDoNotDependOnHowTheyAreComputed) {
  const std::vector<std::vector<int32_t>> ids = {{1, 2, 3, 4, 5, 6, 7}, {9}, {3, 1, 4, 1, 5}};
  const std::vector<float> expected = logits(ids, 0, false);
  ASSERT_EQ(expected.size(), 13 * static_cast<size_t>(session_.config().vocab_size));
  EXPECT_EQ(logits(ids, 1, false), expected);
  EXPECT_EQ(logits(ids, 3, false), expected);
  EXPECT_EQ(logits(ids, 0, true), expected);
  EXPECT_EQ(logits(ids, 2, true), expected);
  EXPECT_TRUE(logits({}, 0, true).empty());
}

TEST_F(ForwardRowsTest, APassCommitsItsRowsAndCountsThem) {
  struct Counter final : base::Progress {
    void begin(std::string_view, uint64_t rows, base::ProgressUnit) override { total = rows; }
    void advance(uint64_t rows) override { done = rows; }
    void end() override {}
    uint64_t total = 0, done = 0;
  } counter;
  ForwardPass pass(session_, cancel_, counter);
  model::StateCache cache = pass.make_cache(1, 8);
  const model::SequenceHandle handle = cache.create().value();
  pass.begin("counting", 5);
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5};
  for (const auto& [begin, count] : {std::pair<size_t, size_t>{0, 3}, {3, 2}}) {
    ASSERT_TRUE(cache.reserve(handle, static_cast<int64_t>(count)));
    model::Batch batch;
    batch.add(handle, std::span(ids).subspan(begin, count), static_cast<int64_t>(begin),
              model::Want::kNothing, model::Want::kLogits);
    EXPECT_EQ(pass.run(batch, cache).logits.size(),
              static_cast<size_t>(session_.config().vocab_size));
    EXPECT_EQ(cache.length(handle), static_cast<int64_t>(begin + count));
    EXPECT_EQ(counter.done, begin + count);
  }
  EXPECT_EQ(counter.total, 5u);
}

TEST_F(ForwardRowsTest, WindowsOfLongTexts) {
  EXPECT_EQ(session_.window(), std::min(kDefaultWindow, session_.longest_sequence()));
  ModelSettings shorter = settings();
  shorter.context = 7;
  EXPECT_EQ(Session(kModel, shorter, Precision::kExact, progress_).window(), 7);
}

TEST_F(ForwardRowsTest, Cancelled) {
  cancel_ = true;
  EXPECT_EQ(error_id([&] { logits({{1, 2, 3}}, 0, false); }), "run.cancelled");
}

TEST_F(ForwardRowsTest, ChecksItsInput) {
  const auto check = [&](std::vector<std::vector<int32_t>> ids) {
    return error_id([&] { check_sequences(session_, ids, "ids.json"); });
  };
  const int32_t vocab_size = static_cast<int32_t>(session_.config().vocab_size);
  EXPECT_EQ(check({{0, vocab_size - 1}}), "no error");
  EXPECT_EQ(check({{vocab_size}}), "cli.token_out_of_range");
  EXPECT_EQ(check({{1}, {}}), "cli.no_tokens");
}

TEST_F(ForwardRowsTest, ContextThatDoesNotFitSaysWhatWould) {
  EXPECT_EQ(error_id([&] { session_.plan(1'000'000, 262'144); }), "engine.context_does_not_fit");
  EXPECT_EQ(session_.context(1), kDefaultContext);
}

TEST_F(ForwardRowsTest, SharedEnginesKeepToTheirBytes) {
  const auto error = [&](Session& session, uint64_t bytes) -> base::Error {
    try {
      session.make_shared_engine(2, 1, bytes);
    } catch (const base::Error& thrown) {
      return thrown;
    }
    return base::Error("no error");
  };
  const base::Error small = error(session_, 1);
  ASSERT_EQ(small.id(), "cli.memory_too_small");
  EXPECT_EQ(small.arguments()[2], base::to_text(model::kKvBlockTokens));
  const auto engine = session_.make_shared_engine(2, 1, 1 << 20);
  EXPECT_LE(engine->cache().plan().bytes(), uint64_t{1} << 20);
  ModelSettings longer = settings();
  longer.context = engine->options().context + 1;
  ASSERT_LT(engine->options().context, session_.longest_sequence());
  Session session(kModel, longer, Precision::kExact, progress_);
  EXPECT_EQ(error(session, 1 << 20).id(), "cli.memory_too_small");
}

}  // namespace
}  // namespace tulou::cli
