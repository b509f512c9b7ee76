// The work of one forward pass: rows of any number of sequences, prompt and generated alike.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace tulou::model {

// A sequence's place in a StateCache.
using SequenceHandle = int32_t;

// What a row has to yield besides its state.
enum class Want : uint8_t { kNothing, kHidden, kLogits };

struct BatchRow {
  int32_t token = 0;
  // If not null, the row's input instead of a token: [hidden_size] (images, later MTP).
  const float* embedding = nullptr;
  // Time, height, width for M-RoPE; text has the same number three times.
  std::array<int32_t, 3> position = {0, 0, 0};
  Want want = Want::kNothing;
};

// Rows [begin, end) belong to one sequence and follow what its cache holds.
struct BatchSequence {
  SequenceHandle handle = 0;
  size_t begin = 0, end = 0;
};

// Ragged: sequences one after another, each with at least one row; a handle occurs once.
struct Batch {
  std::vector<BatchRow> rows;
  std::vector<BatchSequence> sequences;

  void clear() {
    rows.clear();
    sequences.clear();
  }
  // Appends tokens at positions `position`, `position` + 1, ...; `last` is what the last one wants,
  // `others` what those before it want.
  void add(SequenceHandle handle, std::span<const int32_t> tokens, int64_t position, Want others,
           Want last);
};

}  // namespace tulou::model
