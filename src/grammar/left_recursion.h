// Rules that come back to themselves before they have taken a byte.
#pragma once

#include "grammar/automaton.h"

namespace tulou::grammar {

// Errors: grammar.left_recursive if there is a cycle of calls without a byte in which one call has
// something to come back to, so that there is no end to what the parser would have to remember.
void check_left_recursion(const Automaton& automaton);

}  // namespace tulou::grammar
