// The two types of the interface that hold objects of XGrammar. Only this folder's sources may
// include it.
#pragma once

#include <xgrammar/xgrammar.h>

#include "grammar/grammar.h"

namespace tulou::grammar {

struct Vocabulary::Tables {
  xgrammar::TokenizerInfo tokenizer;
};

struct CompiledGrammar::Tables {
  xgrammar::CompiledGrammar grammar;
};

// For xgrammar::GrammarCompiler: XGrammar can keep masks for rules that look like those of other
// grammars, but then some of them are wrong (tests/grammar found dead ends).
inline constexpr bool kNoCache = false;

// XGrammar's tables of a vocabulary.
xgrammar::TokenizerInfo make_tokenizer(const VocabularyData& data);

}  // namespace tulou::grammar
