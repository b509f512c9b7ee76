#include "grammar/grammar.h"

#include <dlpack/dlpack.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "grammar/xgrammar_tables.h"

namespace tulou::grammar {

xgrammar::TokenizerInfo make_tokenizer(const VocabularyData& data) {
  return xgrammar::TokenizerInfo(data.tokens, xgrammar::VocabType::RAW, data.vocab_size,
                                 data.stop_tokens, false);
}

Vocabulary::Vocabulary(const VocabularyData& data)
    : tables_(std::make_unique<const Tables>(Tables{make_tokenizer(data)})) {}
Vocabulary::~Vocabulary() = default;

int32_t Vocabulary::vocab_size() const { return tables_->tokenizer.GetVocabSize(); }

size_t Vocabulary::mask_words() const { return (static_cast<size_t>(vocab_size()) + 31) / 32; }

CompiledGrammar::CompiledGrammar(std::unique_ptr<const Tables> tables)
    : tables_(std::move(tables)) {}
CompiledGrammar::~CompiledGrammar() = default;

size_t CompiledGrammar::bytes() const { return tables_->grammar.MemorySizeBytes(); }

struct GrammarMatcher::State {
  std::shared_ptr<const CompiledGrammar> grammar;
  xgrammar::GrammarMatcher matcher;
  std::vector<int32_t> allowed;  // as XGrammar writes it
};

GrammarMatcher::GrammarMatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}

GrammarMatcher::GrammarMatcher(std::shared_ptr<const CompiledGrammar> grammar) {
  ASSERT(grammar != nullptr);
  const xgrammar::CompiledGrammar& compiled = grammar->tables().grammar;
  const auto width = static_cast<size_t>(compiled.GetTokenizerInfo().GetVocabSize());
  state_ = std::make_unique<State>(State{std::move(grammar), xgrammar::GrammarMatcher(compiled),
                                         std::vector<int32_t>((width + 31) / 32)});
}

GrammarMatcher::~GrammarMatcher() = default;
GrammarMatcher::GrammarMatcher(GrammarMatcher&&) noexcept = default;
GrammarMatcher& GrammarMatcher::operator=(GrammarMatcher&&) noexcept = default;

bool GrammarMatcher::fill(std::span<uint32_t> mask) {
  std::vector<int32_t>& allowed = state_->allowed;
  ASSERT(mask.size() == allowed.size());
  if (ended()) {
    std::fill(allowed.begin(), allowed.end(), 0);
    for (const int token : state_->matcher.GetStopTokenIds()) {
      allowed[static_cast<size_t>(token) / 32] |= static_cast<int32_t>(1u << (token % 32));
    }
  } else {
    auto words = static_cast<int64_t>(allowed.size());
    DLTensor tensor{};
    tensor.data = allowed.data();
    tensor.device = {kDLCPU, 0};
    tensor.ndim = 1;
    tensor.dtype = xgrammar::GetBitmaskDLType();
    tensor.shape = &words;
    if (!state_->matcher.FillNextTokenBitmask(&tensor)) return false;
  }
  uint32_t cleared = 0;
  for (size_t i = 0; i < mask.size(); ++i) {
    const auto word = static_cast<uint32_t>(allowed[i]);
    cleared |= mask[i] & ~word;
    mask[i] &= word;
  }
  return cleared != 0;
}

bool GrammarMatcher::accept(int32_t token) {
  const xgrammar::CompiledGrammar& compiled = state_->grammar->tables().grammar;
  if (token < 0 || token >= compiled.GetTokenizerInfo().GetVocabSize() || ended()) return false;
  return state_->matcher.AcceptToken(token);
}

bool GrammarMatcher::can_stop() const { return ended() || state_->matcher.IsCompleted(); }

bool GrammarMatcher::ended() const { return state_->matcher.IsTerminated(); }

GrammarMatcher GrammarMatcher::fork() const {
  return GrammarMatcher(
      std::make_unique<State>(State{state_->grammar, state_->matcher.Fork(), state_->allowed}));
}

}  // namespace tulou::grammar
