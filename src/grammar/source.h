// From a request's grammar to the one form that is compiled.
#pragma once

#include <string>

#include "grammar/grammar.h"

namespace tulou::grammar {

// The grammar as EBNF for XGrammar. Errors as in GrammarCompiler::compile, but for the limits of
// the compilation itself.
std::string to_ebnf(const GrammarSource& source);

}  // namespace tulou::grammar
