// Tokens of an answer to pieces of text: whole characters, thinking told from answer, cut at stop
// strings, without the text of special tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "completion/stop_strings.h"
#include "completion/text_model.h"
#include "text/detokenizer.h"

namespace tulou::completion {

struct Piece {
  std::string text;
  bool reasoning = false;
};

// Thinking is what stands between the tokens <think> and </think>; newlines at its seams are
// dropped. It counts only at the very beginning of an answer, or if the prompt ended inside it.
// Stop strings are looked for in the answer, not in the thinking.
class AnswerReader {
 public:
  // `model` must outlive it. `in_reasoning`: the prompt ends within the thinking part.
  // `may_think`: if false there is no thinking part, and all text is the answer's.
  AnswerReader(const TextModel& model, std::vector<std::string> stops, bool in_reasoning,
               bool may_think = true);

  // Takes the next token and appends the text that is complete with it. Tokens after a stop string
  // give nothing.
  void push(int32_t token, std::vector<Piece>& pieces);
  // No more tokens come: appends what was held back.
  void finish(std::vector<Piece>& pieces);

  // A stop string came.
  bool stopped() const { return stops_.stopped(); }

 private:
  enum class Part { kStart, kReasoning, kAnswer };
  void add_reasoning(std::string text, std::vector<Piece>& pieces);
  void add_answer(std::string text, std::vector<Piece>& pieces);

  const TextModel& model_;
  text::Detokenizer detokenizer_;
  StopStrings stops_;
  Part part_;
  bool had_reasoning_ = false;
  bool at_seam_ = false;       // newlines are dropped until something else comes
  std::string held_newlines_;  // of the thinking: shown only if it goes on
};

}  // namespace tulou::completion
