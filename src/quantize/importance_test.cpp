// Importance matrices: written and read again, and files that are none or of another model.
#include "quantize/importance.h"

#include <gtest/gtest.h>

#include <limits>

#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"

namespace tulou::quantize {
namespace {

using checkpoint::test::error_of;
using checkpoint::test::GgufBuilder;
using checkpoint::test::TemporaryFolder;

SourceTensor tensor(std::string name, const tensor::Shape& shape) {
  SourceTensor made;
  made.name = std::move(name);
  made.shape = shape;
  return made;
}

const std::vector<SourceTensor>& model() {
  static const std::vector<SourceTensor> tensors = {
      tensor("token_embd.weight", {10, 4}), tensor("blk.0.attn_q.weight", {8, 4}),
      tensor("blk.1.attn_q.weight", {8, 4}), tensor("blk.1.ffn_up_exps.weight", {2, 8, 4}),
      tensor("blk.2.attn_q.weight", {8, 4})};  // a layer for drafts
  return tensors;
}

InputStatistics statistics() {
  return {{"blk.0.attn_q.weight", {4, {2, 4, 6, 8}, {2}}},
          {"blk.1.attn_q.weight", {4, {3, 0, 3, 6}, {3}}},
          {"blk.1.ffn_up_exps.weight", {4, {1, 2, 3, 4, 0, 0, 0, 0}, {1, 0}}}};
}

TEST(Importance, WrittenAndReadAgain) {
  const TemporaryFolder folder;
  const std::string path = folder.file("imatrix.gguf");
  write_importance(path, statistics(), "text.txt", 3, 512);
  const ImportanceMatrix matrix = ImportanceMatrix::read(path);
  EXPECT_EQ(matrix.num_entries(), 3u);
  EXPECT_EQ(matrix.num_chunks(), 3);
  matrix.check(model(), 2);
  const auto values = [&](const char* name, int64_t index) {
    const float* found = matrix.find(name, index);
    return std::vector<float>(found, found + 4);
  };
  EXPECT_EQ(values("blk.0.attn_q.weight", 0), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values("blk.1.attn_q.weight", 0), (std::vector<float>{1, 0, 1, 2}));
  EXPECT_EQ(values("blk.1.ffn_up_exps.weight", 0), (std::vector<float>{1, 2, 3, 4}));
  // Never chosen: nothing is known, all columns are the same.
  EXPECT_EQ(values("blk.1.ffn_up_exps.weight", 1), (std::vector<float>{1, 1, 1, 1}));
  EXPECT_EQ(matrix.find("token_embd.weight", 0), nullptr);
}

TEST(Importance, OfAnotherModel) {
  const TemporaryFolder folder;
  const auto failure = [&](const std::function<void(InputStatistics&)>& change) {
    InputStatistics changed = statistics();
    change(changed);
    write_importance(folder.file("x.gguf"), changed, "", 1, 1);
    const ImportanceMatrix matrix = ImportanceMatrix::read(folder.file("x.gguf"));
    return error_of("imatrix.other_model", [&] { matrix.check(model(), 2); });
  };
  const auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(failure([](auto& s) { s["blk.0.attn_q.weight"] = {3, {1, 2, 3}, {1}}; }), "1 x 3");
  has(failure([](auto& s) { s["blk.7.attn_q.weight"] = {4, {1, 2, 3, 4}, {1}}; }), "blk.7");
  has(failure([](auto& s) { s.erase("blk.0.attn_q.weight"); }), "layer 0");
  has(failure([](auto& s) {
        s["blk.1.ffn_up_exps.weight"] = {4, std::vector<float>(12, 1), {1, 1, 1}};
      }),
      "3 x 4");
}

TEST(Importance, HostileFiles) {
  const TemporaryFolder folder;
  const auto failure = [&](const char* id, const std::string& content) {
    folder.write("x.gguf", content);
    return error_of(id, [&] { ImportanceMatrix::read(folder.file("x.gguf")); });
  };
  const auto with = [](std::vector<float> sums, std::vector<float> counts) {
    GgufBuilder builder;
    builder.set("general.type", std::string_view("imatrix"));
    if (!sums.empty()) builder.add("a.weight.in_sum2", {1, sums.size()}, sums);
    if (!counts.empty()) builder.add("a.weight.counts", {counts.size(), 1}, counts);
    return builder.build();
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ImportanceMatrix::read(folder.write("good.gguf", with({1, 2}, {1}))).num_entries(), 1u);
  failure("imatrix.not_gguf", "\x01\x02\x03\x04");
  failure("imatrix.not_gguf", "");
  failure("imatrix.not_gguf", GgufBuilder().build());
  failure("imatrix.corrupt", with({}, {}));
  failure("imatrix.corrupt", with({1, 2}, {}));
  failure("imatrix.corrupt", with({}, {1}));
  failure("imatrix.corrupt", with({1, -2}, {1}));
  failure("imatrix.corrupt", with({1, kInfinity}, {1}));
  failure("imatrix.corrupt", with({1, std::numeric_limits<float>::quiet_NaN()}, {1}));
  failure("imatrix.corrupt", with({1, 2}, {-1}));
  failure("imatrix.corrupt", with({1, 2, 3}, {1, 1}));
  failure("imatrix.corrupt", with({1e30f, 2}, {1e-30f}));
  failure("gguf.too_many", with({1, 2}, {1}).substr(0, 60));
  GgufBuilder half;
  half.set("general.type", std::string_view("imatrix"));
  half.add("a.in_sum2", 1, {1, 2}, "abcd").add("a.counts", {1, 1}, std::vector<float>{1});
  failure("imatrix.corrupt", half.build());
}

}  // namespace
}  // namespace tulou::quantize
