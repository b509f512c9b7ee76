// Ends the thinking part of an answer after a number of tokens, with words that lead over to the
// answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "completion/text_model.h"
#include "engine/token_guide.h"

namespace tulou::completion {

/// How a model's thinking part is told and closed.
struct ThinkingTokens {
  int32_t begin = -1;  // <think>
  int32_t end = -1;    // </think>
  /// What is put into the model's mouth to close the thinking: words, `end`, and what stands
  /// between thinking and answer. `end` must be in it.
  std::vector<int32_t> closing;
  /// The same where there was no thinking yet: no words.
  std::vector<int32_t> empty_closing;
};

/// The words with which Qwen's models close their thinking when the budget is used up (Qwen3
/// technical report, arXiv:2505.09388, section 4.2).
inline constexpr const char* kClosingWords =
    "Considering the limited time by the user, I have to give the solution based on the thinking "
    "directly now.";

/// Of a model that thinks; absent if its vocabulary has no <think>.
std::optional<ThinkingTokens> thinking_tokens(const TextModel& model);

/// Follows an answer token by token: where its thinking part begins and ends. It begins in the
/// prompt, or with <think> as the first token, as in AnswerReader.
class ThinkingPart {
 public:
  ThinkingPart(int32_t begin, int32_t end, bool in_reasoning)
      : begin_(begin), end_(end), state_(in_reasoning ? State::kThinking : State::kStart) {}

  void accept(int32_t token);
  bool thinking() const { return state_ == State::kThinking; }
  /// Tokens in the thinking part so far, without <think> and </think>.
  int64_t num_tokens() const { return num_tokens_; }

 private:
  enum class State { kStart, kThinking, kAnswer };
  int32_t begin_, end_;
  State state_;
  int64_t num_tokens_ = 0;
  bool begun_twice_ = false;
};

/// Puts a sequence of tokens into an answer.
class ForcedTokens {
 public:
  void begin(const std::vector<int32_t>& tokens) {
    tokens_ = tokens;
    at_ = 0;
  }
  /// The token that is due; -1 if none is.
  int32_t due() const { return at_ < tokens_.size() ? tokens_[at_] : -1; }
  /// A token was chosen: moves on if it is the one that was due. If another guide forced `end`
  /// meanwhile, what comes up to `end` here is left out.
  void accept(int32_t token, int32_t end);

 private:
  std::vector<int32_t> tokens_;
  size_t at_ = 0;
};

/// What the guides of one answer have done, for whoever asked for the answer: the guides themselves
/// belong to the engine. Written by the engine's thread, may be read by others at any time.
struct ThinkingReport {
  std::atomic<int64_t> num_thinking_tokens = 0;  // as ThinkingBudget::num_thinking_tokens
  std::atomic<bool> closed = false;              // the budget was used up
};

/// Counts the tokens of the thinking part and closes it when `budget` of them have come: the tokens
/// of `closing` are forced. With a budget of 0 a thinking part is closed as soon as it begins.
class ThinkingBudget : public engine::TokenGuide {
 public:
  /// `in_reasoning`: the prompt ends within the thinking part. `budget` >= 0. `report` may be null.
  ThinkingBudget(ThinkingTokens tokens, int64_t budget, bool in_reasoning,
                 std::shared_ptr<ThinkingReport> report = nullptr);

  Next next(std::span<uint32_t> mask) override;
  void accept(int32_t token) override;

  /// Tokens of the thinking part, the closing words with them.
  int64_t num_thinking_tokens() const { return part_.num_tokens(); }
  /// The budget was used up and the thinking closed.
  bool closed() const { return closed_; }

 private:
  ThinkingTokens tokens_;
  int64_t budget_;
  ThinkingPart part_;
  ForcedTokens forced_;
  bool closed_ = false;
  std::shared_ptr<ThinkingReport> report_;
};

}  // namespace tulou::completion
