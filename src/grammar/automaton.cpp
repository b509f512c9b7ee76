#include "grammar/automaton.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "base/error.h"
#include "grammar/left_recursion.h"
#include "grammar/token_trie.h"
#include "grammar/utf8_ranges.h"

namespace tulou::grammar {
namespace {

using Kind = Automaton::Kind;
using Expr = Rules::Expr;
using Node = Rules::Node;
using NodeKind = Rules::Kind;

// Builds backwards: every function gets the state that follows and returns the one that begins.
class Builder {
 public:
  Builder(const Rules& rules, const std::vector<bool>& finite) : rules_(rules), finite_(finite) {}

  Automaton build(Rules::Rule root) {
    automaton_.start = start_of(root);
    while (!waiting_.empty()) {
      const auto [rule, start] = waiting_.back();
      waiting_.pop_back();
      const uint32_t end = add({.kind = Kind::kEnd});
      set_targets(start, {one(rules_.body(rule), end)});
    }
    check_left_recursion(automaton_);
    return std::move(automaton_);
  }

 private:
  using State = Automaton::State;

  uint32_t add(State state) {
    if (automaton_.states.size() >= Automaton::kMaxStates)
      throw base::Error("grammar.too_large", "states", Automaton::kMaxStates);
    state.counter = counter_;
    automaton_.states.push_back(state);
    return static_cast<uint32_t>(automaton_.states.size() - 1);
  }
  void set_targets(uint32_t state, std::initializer_list<uint32_t> targets) {
    set_targets(state, std::span(targets.begin(), targets.size()));
  }
  void set_targets(uint32_t state, std::span<const uint32_t> targets) {
    std::vector<uint32_t>& all = automaton_.targets;
    automaton_.states[state].begin = static_cast<uint32_t>(all.size());
    all.insert(all.end(), targets.begin(), targets.end());
    automaton_.states[state].end = static_cast<uint32_t>(all.size());
  }
  uint32_t add_bytes(std::span<const Automaton::Edge> edges) {
    std::vector<Automaton::Edge>& all = automaton_.edges;
    const auto begin = static_cast<uint32_t>(all.size());
    all.insert(all.end(), edges.begin(), edges.end());
    return add({.kind = Kind::kBytes, .begin = begin, .end = static_cast<uint32_t>(all.size())});
  }

  uint32_t start_of(Rules::Rule rule) {
    const auto found = starts_.find(rule);
    if (found != starts_.end()) return found->second;
    const uint32_t start = add({.kind = Kind::kSplit});
    starts_.emplace(rule, start);
    waiting_.emplace_back(rule, start);
    return start;
  }

  bool is_finite(Expr expr) const { return rules_.is_finite(expr, finite_); }

  uint32_t one(Expr expr, uint32_t next) {
    const Node& node = rules_.node(expr);
    switch (node.kind) {
      case NodeKind::kLiteral:
        for (size_t i = node.text.size(); i-- > 0;) {
          const auto byte = static_cast<uint8_t>(node.text[i]);
          next = add_bytes(std::array{Automaton::Edge{byte, byte, next}});
        }
        return next;
      case NodeKind::kClass:
        return character(expr, next);
      case NodeKind::kSequence:
        for (size_t i = node.parts.size(); i-- > 0;) next = one(node.parts[i], next);
        return next;
      case NodeKind::kChoice: {
        std::vector<uint32_t> starts;
        for (const Expr part : node.parts) {
          if (is_finite(part)) starts.push_back(one(part, next));
        }
        if (starts.size() == 1) return starts[0];
        const uint32_t split = add({.kind = Kind::kSplit});
        set_targets(split, starts);
        return split;
      }
      case NodeKind::kRepeat:
        return is_finite(node.parts[0]) ? repeat(node, next) : next;
      case NodeKind::kCall:
        return add({.kind = Kind::kCall, .begin = start_of(node.rule), .end = next});
    }
    return next;
  }

  // Of a class, which may come many times.
  struct Class {
    std::vector<ByteSequence> sequences;
    uint8_t token_classes = 0;  // it takes all characters of the first so many classes of tokens
  };
  const Class& class_of(Expr expr) {
    const auto [place, is_new] = classes_.try_emplace(expr);
    Class& made = place->second;
    if (!is_new) return made;
    const std::vector<CodePoints>& code_points = rules_.node(expr).code_points;
    made.sequences = utf8_sequences(subtract(code_points, {}));
    while (made.token_classes < kTokenClasses &&
           subtract(token_class(made.token_classes), code_points).empty())
      ++made.token_classes;
    return made;
  }
  uint8_t token_classes(Expr expr) {
    return rules_.node(expr).kind == NodeKind::kClass ? class_of(expr).token_classes : uint8_t{0};
  }

  // States with the same bytes to come are one.
  uint32_t character(Expr expr, uint32_t next) {
    std::map<std::vector<uint8_t>, uint32_t> rests;
    std::vector<Automaton::Edge> first;
    for (const ByteSequence& sequence : class_of(expr).sequences) {
      uint32_t rest = next;
      std::vector<uint8_t> key;
      for (auto i = static_cast<size_t>(sequence.length); i-- > 1;) {
        const ByteRange range = sequence.bytes[i];
        key.push_back(range.first);
        key.push_back(range.last);
        const auto [place, is_new] = rests.try_emplace(key, 0);
        if (is_new)
          place->second = add_bytes(std::array{Automaton::Edge{range.first, range.last, rest}});
        rest = place->second;
      }
      first.push_back({sequence.bytes[0].first, sequence.bytes[0].last, rest});
    }
    return add_bytes(first);
  }

  uint32_t repeat(const Node& node, uint32_t next) {
    const Expr body = node.parts[0];
    const bool endless = node.max == Rules::kUnbounded;
    if (endless && node.min <= 1) return star(body, node.min, next);
    const uint32_t rounds = endless ? node.min : node.max;
    if (counter_ == Automaton::kNone && rounds > Rules::kFewRounds && rules_.is_countable(body))
      return counted(node, body, next);
    uint32_t at = endless ? star(body, 0, next) : next;
    for (uint32_t i = rounds; i-- > 0;) {
      const uint32_t round = one(body, at);
      at = round;
      if (i < node.min) continue;
      at = add({.kind = Kind::kSplit});
      set_targets(at, {round, next});
    }
    return at;
  }

  uint32_t star(Expr body, uint32_t min, uint32_t next) {
    const uint32_t loop = add({.kind = Kind::kSplit});
    const uint32_t round = one(body, loop);
    set_targets(loop, {round, next});
    mark(body, round, true);
    return min == 0 ? loop : round;
  }

  uint32_t counted(const Node& node, Expr body, uint32_t next) {
    const auto number = static_cast<uint32_t>(automaton_.counters.size());
    const uint32_t loop = add({.kind = Kind::kLoop, .begin = number});
    automaton_.counters.push_back({node.min, node.max, 0, next});
    counter_ = number;
    const uint32_t again = add({.kind = Kind::kLoopEnd, .begin = number, .end = loop});
    const uint32_t round = one(body, again);
    counter_ = Automaton::kNone;
    automaton_.counters[number].body = round;
    mark(body, round, false);
    return loop;
  }

  // `round` is where the body of a repetition begins.
  void mark(Expr body, uint32_t round, bool endless) {
    const Node& node = rules_.node(body);
    const auto mark_state = [&](uint32_t state, uint8_t classes) {
      automaton_.states[state].token_classes = classes;
      automaton_.states[state].endless = endless;
    };
    if (node.kind == NodeKind::kClass) mark_state(round, token_classes(body));
    if (node.kind != NodeKind::kSequence && node.kind != NodeKind::kChoice) return;
    std::vector<Expr> parts;
    std::copy_if(node.parts.begin(), node.parts.end(), std::back_inserter(parts),
                 [&](Expr part) { return is_finite(part); });
    if (parts.size() == 1) return mark(parts[0], round, endless);
    if (node.kind != NodeKind::kChoice) return;
    for (size_t i = 0; i < parts.size(); ++i) {
      const uint8_t classes = token_classes(parts[i]);
      const uint32_t start = automaton_.targets[automaton_.states[round].begin + i];
      if (classes > 0) mark_state(start, classes);
    }
  }

  const Rules& rules_;
  const std::vector<bool>& finite_;
  Automaton automaton_;
  std::map<Rules::Rule, uint32_t> starts_;
  std::map<Expr, Class> classes_;
  std::vector<std::pair<Rules::Rule, uint32_t>> waiting_;
  uint32_t counter_ = Automaton::kNone;
};

}  // namespace

size_t Automaton::bytes() const {
  return states.capacity() * sizeof(State) + edges.capacity() * sizeof(Edge) +
         targets.capacity() * sizeof(uint32_t) + counters.capacity() * sizeof(Counter);
}

Automaton build_automaton(const Rules& rules, Rules::Rule root) {
  const std::vector<bool> finite = rules.finite_rules();
  if (!finite[static_cast<size_t>(root)]) throw base::Error("grammar.unsatisfiable");
  return Builder(rules, finite).build(root);
}

}  // namespace tulou::grammar
