// What `tulou bench` found out, and its forms: plain lines, a table, JSON. Pure: nothing here
// measures or prints.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/precision.h"

namespace tulou::cli {

// Median, least and greatest of at least one value. The median of an even number is the mean of the
// middle two.
struct Spread {
  double median = 0, min = 0, max = 0;
};
Spread spread_of(std::span<const double> values);

enum class BenchKind { kPrefill, kDecode };

struct BenchSample {
  double seconds = 0;
  std::optional<double> others;  // processors that others used meanwhile
};

// One thing that was measured, several times.
struct Measurement {
  BenchKind kind = BenchKind::kPrefill;
  int64_t tokens = 0;  // of each sequence
  int64_t depth = 0;   // tokens that each sequence had before
  int64_t batch = 1;   // sequences at once
  std::vector<BenchSample> samples = {};
  // What one decoded token of a single sequence must read and write; 0 if that was not counted.
  uint64_t bytes_per_token = 0;

  // "prefill 512", "decode 64 at depth 4096, 16 sequences".
  std::string name() const;
  // Of all sequences together, a value for each sample.
  std::vector<double> tokens_per_second() const;
};

// Weights of one kind and one type: "attention", "delta net", "mlp", "experts", "embedding",
// "head", "embedding and head".
struct WeightGroup {
  std::string name;
  std::string type;    // as stored: "Q4_0"
  std::string kernel;  // what multiplies with them
  uint64_t matrices = 0;
  uint64_t bytes = 0;
  uint64_t bytes_per_token = 0;  // what one decoded token reads of them
};

struct BenchReport {
  std::string model;   // as given
  std::string family;  // "qwen3_5"
  std::string processor;
  uint64_t processors = 0, memory_bytes = 0;  // of the machine
  std::string level;                          // of the kernels
  uint64_t threads = 0;
  nn::Precision precision = nn::Precision::kDefault;
  uint64_t cache_bytes_per_token = 0;  // keys and values
  uint64_t state_bytes = 0;            // recurrent state of a sequence
  double load_seconds = 0;
  int64_t first_token_prompt = 0;  // tokens
  double first_token_seconds = 0;  // loading and the whole prompt, nothing warmed up
  uint64_t peak_memory_bytes = 0;  // before the bandwidth was measured
  double bandwidth = 0;            // bytes per second; 0 if there was no room to measure
  std::optional<double> others_before, others_during;  // processors
  std::vector<WeightGroup> groups;
  std::vector<Measurement> measurements;

  // Bytes moved per second over the measured bandwidth, by the median; absent if either is unknown.
  std::optional<double> bandwidth_share(const Measurement& measurement) const;
};

// Above this many processors in the hands of others, figures say little.
inline constexpr double kBusyProcessors = 0.10;

// "decode 64: from 41.0 to 45.2, median 44.7 tok/s", without line end.
std::string measurement_line(const Measurement& measurement);

// What else is to be told about the run, for a log: lines.
std::string bench_notes(const BenchReport& report);

// All of it for people, at most 100 columns as far as names allow.
std::string bench_table(const BenchReport& report);

// All of it, each sample included; speeds in tokens and bytes per second, times in seconds.
base::Json bench_json(const BenchReport& report);

}  // namespace tulou::cli
