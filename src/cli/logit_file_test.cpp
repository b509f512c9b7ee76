#include "cli/logit_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"

namespace tulou::cli {
namespace {

// log p of n tokens with p proportional to 1 + (i * step mod n).
std::vector<double> distribution(size_t n, size_t step) {
  std::vector<double> values(n);
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += values[i] = 1.0 + static_cast<double>(i * step % n);
  for (double& value : values) value = std::log(value / sum);
  return values;
}

class LogitFileTest : public testing::Test {
 protected:
  LogitFileTest() : path_(testing::TempDir() + "/tulou_logit_file_test.bin") {}
  ~LogitFileTest() override { std::filesystem::remove(path_); }
  void write(const std::vector<Prediction>& predictions) const {
    LogitFileWriter writer(path_, header_);
    for (const Prediction& prediction : predictions) writer.append(prediction);
    writer.commit();
  }
  std::string path_;
  LogitFileHeader header_ = {2000, 16, 2, 42};
};

TEST_F(LogitFileTest, TopTokensAndTheRest) {
  const Prediction top = top_of(distribution(2000, 7));
  ASSERT_EQ(top.tokens.size(), kSavedTokens);
  EXPECT_TRUE(std::is_sorted(top.log_probabilities.rbegin(), top.log_probabilities.rend()));
  double sum = top.rest;
  for (const float value : top.log_probabilities) sum += std::exp(double{value});
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(top_of(distribution(10, 3)).tokens.size(), 10u);
  // Equal ones by rising id.
  EXPECT_EQ(top_of(std::vector<double>{-1, -1, -0.5}).tokens, (std::vector<int32_t>{2, 0, 1}));
}

TEST_F(LogitFileTest, ReadsWhatItWrote) {
  const Prediction first = top_of(distribution(2000, 7));
  const Prediction second = top_of(distribution(2000, 11));
  write({first, second});
  LogitFileReader reader(path_, header_);
  for (const Prediction& expected : {first, second}) {
    const Prediction read = reader.next();
    EXPECT_EQ(read.tokens, expected.tokens);
    EXPECT_EQ(read.log_probabilities, expected.log_probabilities);
    EXPECT_EQ(read.rest, expected.rest);
  }
  EXPECT_THROW(reader.next(), base::Error);
}

TEST_F(LogitFileTest, RefusesOtherTextsAndCutFiles) {
  write({top_of(distribution(2000, 7)), top_of(distribution(2000, 11))});
  for (int field = 0; field < 4; ++field) {
    LogitFileHeader other = header_;
    if (field == 0) ++other.vocab_size;
    if (field == 1) ++other.window;
    if (field == 2) ++other.num_positions;
    if (field == 3) ++other.text_hash;
    EXPECT_THROW(LogitFileReader(path_, other), base::Error) << field;
  }
  const auto size = std::filesystem::file_size(path_);
  for (const uint64_t cut : {uint64_t{0}, uint64_t{7}, uint64_t{31}, uint64_t{33}, size / 2}) {
    std::filesystem::resize_file(path_, cut);
    EXPECT_THROW(
        {
          LogitFileReader reader(path_, header_);
          reader.next();
          reader.next();
        },
        base::Error)
        << cut;
    write({top_of(distribution(2000, 7)), top_of(distribution(2000, 11))});
  }
}

TEST_F(LogitFileTest, Divergence) {
  const std::vector<double> p = distribution(500, 7);
  const std::vector<double> q = distribution(500, 11);
  double expected = 0;
  for (size_t i = 0; i < p.size(); ++i) expected += std::exp(p[i]) * (p[i] - q[i]);
  EXPECT_NEAR(divergence(top_of(p), q), expected, 1e-6);
  EXPECT_NEAR(divergence(top_of(p), p), 0, 1e-6);
  // With more tokens than are kept it is a lower bound.
  const std::vector<double> large_p = distribution(3000, 7);
  const std::vector<double> large_q = distribution(3000, 11);
  double full = 0;
  for (size_t i = 0; i < large_p.size(); ++i)
    full += std::exp(large_p[i]) * (large_p[i] - large_q[i]);
  const double bound = divergence(top_of(large_p), large_q);
  EXPECT_GT(bound, 0);
  EXPECT_LE(bound, full + 1e-6);
}

}  // namespace
}  // namespace tulou::cli
