// From a request's grammar to rules.
#pragma once

#include "grammar/grammar.h"
#include "grammar/rules.h"

namespace tulou::grammar {

// Adds the rules of the grammar and returns the one that the whole answer matches. Errors as in
// GrammarCompiler::compile, but for the limits of the compilation itself.
Rules::Rule add_source(Rules& rules, const GrammarSource& source);

}  // namespace tulou::grammar
