#include "grammar/left_recursion.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"

namespace tulou::grammar {
namespace {

using Kind = Automaton::Kind;

// The states that come to the end of their rule without a byte: the least fixed point, backwards.
std::vector<bool> empty_states(const Automaton& a) {
  const size_t n = a.states.size();
  // Who becomes empty when a state does. A call waits for both its rule and what follows.
  std::vector<std::vector<uint32_t>> waiting(n);
  std::vector<uint32_t> todo;
  std::vector<bool> empty(n, false);
  for (uint32_t i = 0; i < n; ++i) {
    const Automaton::State& state = a.states[i];
    if (state.kind == Kind::kEnd) todo.push_back(i);
    if (state.kind == Kind::kSplit) {
      for (uint32_t t = state.begin; t < state.end; ++t) waiting[a.targets[t]].push_back(i);
    } else if (state.kind == Kind::kCall) {
      waiting[state.begin].push_back(i);
      waiting[state.end].push_back(i);
    } else if (state.kind == Kind::kLoop && a.counters[state.begin].min == 0) {
      waiting[a.counters[state.begin].next].push_back(i);
    }
  }
  while (!todo.empty()) {
    const uint32_t at = todo.back();
    todo.pop_back();
    if (empty[at]) continue;
    empty[at] = true;
    for (const uint32_t other : waiting[at]) {
      const Automaton::State& state = a.states[other];
      const bool ready = state.kind != Kind::kCall || (empty[state.begin] && empty[state.end]);
      if (ready && !empty[other]) todo.push_back(other);
    }
  }
  return empty;
}

// Where one gets without a byte; the calls with something to come back to apart.
struct Steps {
  std::vector<std::vector<uint32_t>> all;
  std::vector<std::pair<uint32_t, uint32_t>> deepening;
};

Steps steps_without_bytes(const Automaton& a) {
  const std::vector<bool> empty = empty_states(a);
  Steps steps;
  steps.all.resize(a.states.size());
  for (uint32_t i = 0; i < a.states.size(); ++i) {
    const Automaton::State& state = a.states[i];
    std::vector<uint32_t>& out = steps.all[i];
    if (state.kind == Kind::kSplit) {
      out.assign(a.targets.begin() + state.begin, a.targets.begin() + state.end);
    } else if (state.kind == Kind::kCall) {
      out.push_back(state.begin);
      if (a.states[state.end].kind != Kind::kEnd) steps.deepening.emplace_back(i, state.begin);
      if (empty[state.begin]) out.push_back(state.end);
    } else if (state.kind == Kind::kLoop) {
      out.push_back(a.counters[state.begin].body);
      if (a.counters[state.begin].min == 0) out.push_back(a.counters[state.begin].next);
    }
  }
  return steps;
}

// Tarjan's strongly connected components, without recursion: the component of each state.
std::vector<uint32_t> components(const std::vector<std::vector<uint32_t>>& steps) {
  constexpr uint32_t kNone = UINT32_MAX;
  const size_t n = steps.size();
  std::vector<uint32_t> order(n, kNone), low(n, 0), component(n, kNone), open;
  std::vector<std::pair<uint32_t, size_t>> path;  // a state, and its step that comes next
  uint32_t count = 0, found = 0;
  for (uint32_t root = 0; root < n; ++root) {
    if (order[root] != kNone) continue;
    path.emplace_back(root, 0);
    while (!path.empty()) {
      const uint32_t at = path.back().first;
      size_t& step = path.back().second;
      if (step == 0) {
        order[at] = low[at] = count++;
        open.push_back(at);
      }
      if (step < steps[at].size()) {
        const uint32_t to = steps[at][step++];
        if (order[to] == kNone) {
          path.emplace_back(to, 0);
        } else if (component[to] == kNone) {
          low[at] = std::min(low[at], order[to]);
        }
        continue;
      }
      if (low[at] == order[at]) {
        for (uint32_t member = kNone; member != at; open.pop_back()) {
          member = open.back();
          component[member] = found;
        }
        ++found;
      }
      path.pop_back();
      if (!path.empty()) low[path.back().first] = std::min(low[path.back().first], low[at]);
    }
  }
  return component;
}

}  // namespace

void check_left_recursion(const Automaton& automaton) {
  const Steps steps = steps_without_bytes(automaton);
  if (steps.deepening.empty()) return;
  const std::vector<uint32_t> component = components(steps.all);
  for (const auto& [from, to] : steps.deepening) {
    if (component[from] == component[to]) throw base::Error("grammar.left_recursive");
  }
}

}  // namespace tulou::grammar
