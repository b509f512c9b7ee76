#include "grammar/description.h"

#include <map>
#include <queue>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_value.h"
#include "grammar/schema.h"

namespace tulou::grammar {
namespace {

using base::Json;

constexpr int64_t kMostRepeats = 256;

// Finds strings in a text character by character (Aho and Corasick, "Efficient string matching",
// 1975): a state is the longest beginning of a string that the text ends with.
class Finder {
 public:
  explicit Finder(const std::vector<std::u32string>& strings) {
    states_.emplace_back();
    for (const std::u32string& string : strings) add(string);
    link();
  }

  size_t num_states() const { return states_.size(); }
  // A string ends here.
  bool found(size_t state) const { return states_[state].found; }
  // The characters that lead anywhere but back to the beginning.
  const std::map<char32_t, size_t>& next(size_t state) const { return states_[state].next; }

 private:
  struct State {
    std::map<char32_t, size_t> next;
    size_t shorter = 0;  // the longest proper ending that is a state as well
    bool found = false;
  };

  void add(const std::u32string& string) {
    size_t at = 0;
    for (const char32_t c : string) {
      const auto [place, is_new] = states_[at].next.try_emplace(c, states_.size());
      at = place->second;
      if (is_new) states_.emplace_back();
    }
    states_[at].found = true;
  }

  void link() {
    std::queue<size_t> todo;
    todo.push(0);
    while (!todo.empty()) {
      const size_t at = todo.front();
      todo.pop();
      const State& shorter = states_[states_[at].shorter];
      states_[at].found = states_[at].found || shorter.found;
      for (const auto& [c, child] : states_[at].next) {
        const auto place = at == 0 ? shorter.next.end() : shorter.next.find(c);
        states_[child].shorter = place == shorter.next.end() ? 0 : place->second;
        todo.push(child);
      }
      // What goes on from the shorter ending goes on from here.
      if (at != 0) states_[at].next.insert(shorter.next.begin(), shorter.next.end());
    }
  }

  std::vector<State> states_;
};

// Each function returns the rules of a node and what follows it: an end that is known lets masks be
// made ahead.
class Describer {
 public:
  Describer(Rules& rules, JsonText& json) : rules_(rules), json_(json) {}

  Rules::Expr add(const Json& node, Rules::Expr rest) {
    if (!node.is_object() || node.empty()) fail("object");
    if (node.contains("text")) return rules_.sequence({rules_.literal(text(node["text"])), rest});
    if (node.contains("schema")) {
      const Rules::Rule schema = add_schema(json_, base::to_json_text(node["schema"]));
      return rules_.sequence({rules_.call(schema), rest});
    }
    if (node.contains("without")) return without(list(node, "without"), rest);
    if (node.contains("choice")) {
      const Rules::Expr shared = rules_.shared(rest);
      std::vector<Rules::Expr> options;
      for (const Json& option : list(node, "choice")) options.push_back(add(option, shared));
      return rules_.choice(std::move(options));
    }
    if (node.contains("repeat")) return repeat(node, rest);
    if (!node.contains("sequence")) fail(node.begin().key());
    const Json& parts = list(node, "sequence");
    for (size_t i = parts.size(); i-- > 0;) rest = add(parts[i], rest);
    return rest;
  }

 private:
  [[noreturn]] static void fail(std::string_view key) {
    throw base::Error("grammar.invalid_description", key);
  }
  static std::string text(const Json& value) {
    if (!value.is_string()) fail("text");
    return value.get<std::string>();
  }
  static const Json& list(const Json& node, const char* key) {
    const Json& value = node[key];
    if (!value.is_array() || value.empty()) fail("list");
    return value;
  }

  Rules::Expr without(const Json& strings, Rules::Expr rest) {
    std::vector<std::u32string> banned;
    for (const Json& one : strings) banned.push_back(to_code_points(text(one)));
    const Finder finder(banned);
    const Rules::Expr end = rules_.shared(rest);
    std::vector<Rules::Rule> states;
    for (size_t i = 0; i < finder.num_states(); ++i) states.push_back(rules_.declare());
    for (size_t i = 0; i < finder.num_states(); ++i) {
      std::map<size_t, std::vector<CodePoints>> by_target;
      std::vector<CodePoints> special;
      for (const auto& [c, target] : finder.next(i)) {
        special.push_back({c, c});
        if (!finder.found(target)) by_target[target].push_back({c, c});
      }
      for (const CodePoints& range : subtract(all_code_points(), special))
        by_target[0].push_back(range);
      std::vector<Rules::Expr> options = {end};
      for (auto& [target, characters] : by_target)
        options.push_back(
            rules_.sequence({rules_.one_of(std::move(characters)), rules_.call(states[target])}));
      rules_.define(states[i],
                    finder.found(i) ? rules_.nothing() : rules_.choice(std::move(options)));
    }
    return rules_.call(states[0]);
  }

  Rules::Expr repeat(const Json& node, Rules::Expr rest) {
    const int64_t min = node.value("min", int64_t{0});
    const int64_t max = node.value("max", int64_t{-1});
    if (min < 0 || min > kMostRepeats || max > kMostRepeats || (max >= 0 && max < min))
      fail("repeat");
    const Rules::Expr end = rules_.shared(rest);
    Rules::Expr at = end;
    if (max < 0) {
      const Rules::Rule more = rules_.declare();
      rules_.define(more, rules_.choice({add(node["repeat"], rules_.call(more)), end}));
      at = rules_.call(more);
    }
    for (int64_t i = max; i > min; --i)
      at = rules_.shared(rules_.choice({add(node["repeat"], at), end}));
    for (int64_t i = 0; i < min; ++i) at = add(node["repeat"], at);
    return at;
  }

  Rules& rules_;
  JsonText& json_;
};

}  // namespace

Rules::Rule add_description(Rules& rules, JsonText& json, std::string_view description) {
  const Json tree = base::parse_json(description, "description");
  const Rules::Rule root = rules.declare();
  rules.define(root, Describer(rules, json).add(tree, rules.literal("")));
  return root;
}

}  // namespace tulou::grammar
