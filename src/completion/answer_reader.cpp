// Tokens to pieces; see answer_reader.h.
#include "completion/answer_reader.h"

namespace tulou::completion {

namespace {

// Removes newlines at the start; true if text is left.
bool drop_leading_newlines(std::string& text) {
  const size_t begin = text.find_first_not_of('\n');
  text.erase(0, begin == std::string::npos ? text.size() : begin);
  return !text.empty();
}

}  // namespace

AnswerReader::AnswerReader(const TextModel& model, std::vector<std::string> stops,
                           bool in_reasoning, bool may_think)
    : model_(model),
      detokenizer_(model.tokenizer(), text::ShowSpecial::kHide),
      stops_(std::move(stops)),
      part_(!may_think     ? Part::kAnswer
            : in_reasoning ? Part::kReasoning
                           : Part::kStart),
      had_reasoning_(part_ == Part::kReasoning),
      at_seam_(had_reasoning_) {}

void AnswerReader::push(int32_t token, std::vector<Piece>& pieces) {
  const bool begins = token == model_.think_begin();
  const bool ends = token == model_.think_end();
  if (part_ == Part::kStart) {
    part_ = begins ? Part::kReasoning : Part::kAnswer;
    had_reasoning_ = at_seam_ = begins;
    if (begins) return;
  }
  if (part_ == Part::kReasoning) {
    if (begins && at_seam_) return;  // the prompt had one already
    if (!ends) return add_reasoning(detokenizer_.push(token), pieces);
    add_reasoning(detokenizer_.finish(), pieces);
    held_newlines_.clear();
    part_ = Part::kAnswer;
    at_seam_ = true;
    return;
  }
  if (ends && had_reasoning_) return;
  add_answer(detokenizer_.push(token), pieces);
}

void AnswerReader::finish(std::vector<Piece>& pieces) {
  if (part_ == Part::kReasoning) {
    add_reasoning(detokenizer_.finish(), pieces);
    return;
  }
  add_answer(detokenizer_.finish(), pieces);
  std::string rest = stops_.finish();
  if (!rest.empty()) pieces.push_back({std::move(rest), false});
}

void AnswerReader::add_reasoning(std::string text, std::vector<Piece>& pieces) {
  if (at_seam_ && !drop_leading_newlines(text)) return;
  at_seam_ = false;
  text.insert(0, held_newlines_);
  const size_t end = text.find_last_not_of('\n') + 1;  // 0 if there are only newlines
  held_newlines_ = text.substr(end);
  text.resize(end);
  if (!text.empty()) pieces.push_back({std::move(text), true});
}

void AnswerReader::add_answer(std::string text, std::vector<Piece>& pieces) {
  if (at_seam_ && !drop_leading_newlines(text)) return;
  at_seam_ = false;
  std::string shown = stops_.push(text);
  if (!shown.empty()) pieces.push_back({std::move(shown), false});
}

}  // namespace tulou::completion
