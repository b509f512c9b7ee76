// How long steps take, and from that how many rows of prompts go into the next one.
#pragma once

#include <cstdint>
#include <map>

namespace tulou::engine {

// Moving averages of what was measured. They decide only how prompts are cut, never a bit of an
// answer.
class StepTimes {
 public:
  // Of a prompt that goes beside as many or more sequences that generate: how much longer it makes
  // their step than one without it.
  static constexpr double kPromptShare = 1.2;
  // If more users wait for a first token than for a next one, prompts come first: else few answers
  // would be written at a time, each step reading all weights for them. A step takes so much
  // longer at most, in seconds.
  static constexpr double kLongestShare = 0.3;
  static constexpr int64_t kFewestPromptRows = 4;

  // A step of `generating` rows, one for each sequence that generates, and `prompt_rows` others.
  void measure(int64_t generating, int64_t prompt_rows, double seconds);
  // Rows of prompts for a step beside `generating` sequences, while `waiting` others have no token
  // yet; at most `most`, which is the answer as long as too little was measured.
  int64_t prompt_rows(int64_t generating, int64_t waiting, int64_t most) const;
  // Of each row of a long prompt; 0: not known yet.
  double prompt_row_seconds() const { return prompt_row_; }

 private:
  double decode_seconds(int64_t generating) const;

  std::map<int64_t, double> decode_;  // by number of sequences, a power of two
  double prompt_row_ = 0;             // in steps of prompts alone
  double mixed_row_ = 0;              // beside sequences that generate
};

}  // namespace tulou::engine
