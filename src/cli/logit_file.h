// Saved predictions of a model over a text, to compare another run with: for each position the most
// probable tokens and the probability of all others together.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace tulou::cli {

inline constexpr size_t kSavedTokens = 1024;

// The largest log-probabilities of one position, falling; equal ones by rising id.
struct Prediction {
  std::vector<int32_t> tokens;
  std::vector<float> log_probabilities;
  double rest = 0;  // the probability of all other tokens
};

// The kSavedTokens most probable tokens of a row of log-probabilities.
Prediction top_of(std::span<const double> log_probabilities);

// What both runs must have in common.
struct LogitFileHeader {
  uint32_t vocab_size = 0;
  uint32_t window = 0;
  uint64_t num_positions = 0;
  uint64_t text_hash = 0;  // of all token ids
};

// FNV-1a over the ids.
uint64_t hash_of(std::span<const int32_t> ids);

// Little-endian: "TULOULG1", the header's fields, then for each position a count (u32), so many
// token ids (i32) and log-probabilities (f32), and the rest (f64).
class LogitFileWriter {
 public:
  LogitFileWriter(const std::string& path, const LogitFileHeader& header);
  void append(const Prediction& prediction);
  void commit();

 private:
  base::DurableFile file_;
};

// Reads position by position. Error cli.logit_file if it is cut or not such a file, or if it was
// made from another text, window or vocabulary than `expected`.
class LogitFileReader {
 public:
  LogitFileReader(const std::string& path, const LogitFileHeader& expected);
  Prediction next();

 private:
  std::span<const std::byte> take(size_t bytes);
  std::shared_ptr<const base::MappedFile> file_;
  size_t at_ = 0;
  uint32_t vocab_size_ = 0;
};

// Kullback-Leibler divergence of `log_probabilities` (all tokens) from a saved prediction, its
// tokens one by one and all others as one: a lower bound of the full divergence, near it because
// the rest is small.
double divergence(const Prediction& saved, std::span<const double> log_probabilities);

}  // namespace tulou::cli
