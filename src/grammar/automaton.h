// A grammar as an automaton over bytes: one network of states for each rule, where a state may also
// call another rule and come back. Immutable once it is built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/rules.h"

namespace tulou::grammar {

struct Automaton {
  static constexpr uint32_t kNone = UINT32_MAX;
  // Bounds what a grammar may take: about 100 bytes a state.
  static constexpr size_t kMaxStates = 400'000;

  enum class Kind : uint8_t {
    kBytes,    // edges [begin, end): one of them is taken, with a byte
    kSplit,    // targets [begin, end): all of them, without a byte
    kCall,     // the rule that starts at `begin`, then the state `end`
    kLoop,     // counter `begin`: its body again, or what follows, by the count
    kLoopEnd,  // once more through the body of counter `begin`
    kEnd,      // of the rule
  };
  struct State {
    Kind kind = Kind::kEnd;
    // Of a repetition's start: any character of the first so many classes (token_class()) is a
    // round of it, and there may be as many as the counter says, or any number.
    uint8_t token_classes = 0;
    bool endless = false;
    uint32_t begin = 0, end = 0;
    uint32_t counter = kNone;  // the repetition in whose body this is: a position has its count
  };
  struct Edge {
    uint8_t first, last;
    uint32_t target;
  };
  // A repetition whose rounds are counted while it runs; none stands in the body of another.
  struct Counter {
    uint32_t min, max;  // max may be Rules::kUnbounded
    uint32_t body, next;
  };

  std::vector<State> states;
  std::vector<Edge> edges;
  std::vector<uint32_t> targets;
  std::vector<Counter> counters;
  uint32_t start = 0;

  size_t bytes() const;
};

// The texts of `root`. Errors: grammar.unsatisfiable if there are none; grammar.too_large;
// grammar.left_recursive if a rule may come back to itself without a byte in between and without
// end.
Automaton build_automaton(const Rules& rules, Rules::Rule root);

}  // namespace tulou::grammar
