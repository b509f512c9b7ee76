// The file of saved predictions; see logit_file.h.
#include "cli/logit_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/number.h"

namespace tulou::cli {

namespace {

constexpr std::string_view kMagic = "TULOULG1";
// A probability this small is taken as this: the logarithm of a rounded 0 would be infinite.
constexpr double kSmallest = 1e-12;

template <typename T>
void write_value(base::DurableFile& file, const T& value) {
  file.write(std::as_bytes(std::span(&value, 1)));
}

template <typename T>
T value_at(std::span<const std::byte> bytes, size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

Prediction top_of(std::span<const double> log_probabilities) {
  std::vector<int32_t> order(log_probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t count = std::min(kSavedTokens, order.size());
  const auto before = [&](int32_t a, int32_t b) {
    const double x = log_probabilities[static_cast<size_t>(a)];
    const double y = log_probabilities[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
                    before);
  Prediction prediction;
  for (size_t i = 0; i < order.size(); ++i) {
    const double value = log_probabilities[static_cast<size_t>(order[i])];
    if (i < count) {
      prediction.tokens.push_back(order[i]);
      prediction.log_probabilities.push_back(static_cast<float>(value));
    } else {
      prediction.rest += std::exp(value);
    }
  }
  return prediction;
}

uint64_t hash_of(std::span<const int32_t> ids) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const int32_t id : ids) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash ^= (static_cast<uint32_t>(id) >> shift) & 0xff;
      hash *= 0x100000001b3;
    }
  }
  return hash;
}

LogitFileWriter::LogitFileWriter(const std::string& path, const LogitFileHeader& header)
    : file_(path) {
  file_.write(kMagic);
  write_value(file_, header.vocab_size);
  write_value(file_, header.window);
  write_value(file_, header.num_positions);
  write_value(file_, header.text_hash);
}

void LogitFileWriter::append(const Prediction& prediction) {
  write_value(file_, static_cast<uint32_t>(prediction.tokens.size()));
  file_.write(std::as_bytes(std::span(prediction.tokens)));
  file_.write(std::as_bytes(std::span(prediction.log_probabilities)));
  write_value(file_, prediction.rest);
}

void LogitFileWriter::commit() { file_.commit(); }

LogitFileReader::LogitFileReader(const std::string& path, const LogitFileHeader& expected)
    : file_(base::MappedFile::open(path)), vocab_size_(expected.vocab_size) {
  const auto refuse = [&](const char* why) { throw base::Error("cli.logit_file", path, why); };
  const std::span<const std::byte> magic = take(kMagic.size());
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0)
    refuse("it does not begin as such a file");
  if (value_at<uint32_t>(take(4)) != expected.vocab_size) refuse("it has another vocabulary");
  if (value_at<uint32_t>(take(4)) != expected.window) refuse("it has another --context");
  const uint64_t num_positions = value_at<uint64_t>(take(8));
  const uint64_t text_hash = value_at<uint64_t>(take(8));
  if (num_positions != expected.num_positions || text_hash != expected.text_hash)
    refuse("it is of another text");
}

std::span<const std::byte> LogitFileReader::take(size_t bytes) {
  if (bytes > file_->data().size() - at_)
    throw base::Error("cli.logit_file", file_->path(), "it ends too early");
  at_ += bytes;
  return file_->data().subspan(at_ - bytes, bytes);
}

Prediction LogitFileReader::next() {
  const uint32_t count = value_at<uint32_t>(take(4));
  if (count == 0 || count > kSavedTokens)
    throw base::Error("cli.logit_file", file_->path(), "a position has too many tokens, or none");
  Prediction prediction;
  const auto tokens = take(count * sizeof(int32_t));
  const auto values = take(count * sizeof(float));
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t token = value_at<int32_t>(tokens, i);
    if (token < 0 || static_cast<uint32_t>(token) >= vocab_size_)
      throw base::Error("cli.logit_file", file_->path(), "a token is outside of the vocabulary");
    prediction.tokens.push_back(token);
    prediction.log_probabilities.push_back(value_at<float>(values, i));
  }
  prediction.rest = value_at<double>(take(sizeof(double)));
  return prediction;
}

double divergence(const Prediction& saved, std::span<const double> log_probabilities) {
  double sum = 0;
  double covered = 0;
  for (size_t i = 0; i < saved.tokens.size(); ++i) {
    const double p = double{saved.log_probabilities[i]};
    const double q = log_probabilities[static_cast<size_t>(saved.tokens[i])];
    sum += std::exp(p) * (p - q);
    covered += std::exp(q);
  }
  const double rest = std::max(1 - covered, kSmallest);
  if (saved.rest > kSmallest) sum += saved.rest * std::log(saved.rest / rest);
  return sum;
}

}  // namespace tulou::cli
