#include "grammar/positions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"

namespace tulou::grammar {

using Kind = Automaton::Kind;

Positions::Positions(const Automaton& automaton, size_t longest)
    : automaton_(automaton), longest_(static_cast<uint32_t>(longest)), frames_(1) {
  Entry& dead = entries_.emplace_back();
  dead.next.fill(kDead);
  std::vector<Item> items = {{automaton.start, 0, 0}};
  const bool can_end = close(items);
  start_ = intern(std::move(items), can_end);
}

uint32_t Positions::push(uint32_t state, uint32_t below) {
  // What comes back to the end of its rule goes on to where that rule was called.
  if (automaton_.states[state].kind == Kind::kEnd) return below;
  const auto [place, is_new] =
      stacks_.try_emplace(Frame{state, below}, static_cast<uint32_t>(frames_.size()));
  if (is_new) {
    frames_.push_back({state, below});
    bytes_ += 2 * sizeof(Frame) + 32;
  }
  return place->second;
}

// One step without a byte.
void Positions::expand(const Item& item, std::vector<Item>& out, bool& can_end) {
  const Automaton::State& state = automaton_.states[item.state];
  switch (state.kind) {
    case Kind::kBytes:
      return;
    case Kind::kSplit:
      for (uint32_t t = state.begin; t < state.end; ++t)
        out.push_back({automaton_.targets[t], item.count, item.stack});
      return;
    case Kind::kCall:
      out.push_back({state.begin, 0, push(state.end, item.stack)});
      return;
    case Kind::kLoop: {
      const Automaton::Counter& counter = automaton_.counters[state.begin];
      if (item.count >= counter.min) out.push_back({counter.next, 0, item.stack});
      if (item.count < counter.max) out.push_back({counter.body, item.count, item.stack});
      return;
    }
    case Kind::kLoopEnd: {
      const Automaton::Counter& counter = automaton_.counters[state.begin];
      const bool endless = counter.max == Rules::kUnbounded;
      const uint32_t most = endless ? counter.min : counter.max;
      out.push_back({state.end, std::min(item.count + 1, most), item.stack});
      return;
    }
    case Kind::kEnd:
      if (item.stack == 0) {
        can_end = true;
      } else {
        const Frame& frame = frames_[item.stack];
        out.push_back({frame.state, 0, frame.below});
      }
      return;
  }
}

// Replaces items by those that they lead to without a byte; true if the text may end.
bool Positions::close(std::vector<Item>& items) {
  bool can_end = false;
  std::vector<Item> waiting, seen;
  waiting.swap(items);
  std::sort(waiting.begin(), waiting.end());
  waiting.erase(std::unique(waiting.begin(), waiting.end()), waiting.end());
  // In rounds, so that what was seen can be kept sorted.
  std::vector<Item> found, merged;
  while (!waiting.empty()) {
    merged.clear();
    std::merge(seen.begin(), seen.end(), waiting.begin(), waiting.end(),
               std::back_inserter(merged));
    seen.swap(merged);
    found.clear();
    for (const Item& item : waiting) {
      if (automaton_.states[item.state].kind == Kind::kBytes) {
        items.push_back(item);
      } else {
        expand(item, found, can_end);
      }
    }
    work_ += waiting.size() + found.size();
    if (items.size() > kMaxItems || seen.size() > 16 * kMaxItems || work_ > kMaxWork)
      throw base::Error("grammar.too_ambiguous");
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    waiting.clear();
    std::set_difference(found.begin(), found.end(), seen.begin(), seen.end(),
                        std::back_inserter(waiting));
  }
  std::sort(items.begin(), items.end());
  drop_weaker(items);
  return can_end;
}

// Of items that differ in their counts alone, and may all leave their repetition, the one that has
// the most rounds left can do whatever the others can.
void Positions::drop_weaker(std::vector<Item>& items) const {
  const auto may_leave = [&](const Item& item) {
    const uint32_t counter = automaton_.states[item.state].counter;
    return counter != Automaton::kNone && item.count >= automaton_.counters[counter].min;
  };
  // Sorted, so that the counts of a state and a stack stand together, the least first.
  const auto end = std::unique(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    return a.state == b.state && a.stack == b.stack && may_leave(a);
  });
  items.erase(end, items.end());
}

void Positions::add_characters(const Item& item, Entry& entry) const {
  const Automaton::State& state = automaton_.states[item.state];
  if (state.token_classes == 0) return;
  uint32_t most = kEndless;
  if (!state.endless) {
    const Automaton::Counter& counter = automaton_.counters[state.counter];
    if (counter.max != Rules::kUnbounded) most = counter.max - item.count;
  }
  for (size_t i = 0; i < state.token_classes; ++i)
    entry.characters[i] = std::max(entry.characters[i], most);
}

Positions::Id Positions::intern(std::vector<Item> items, bool can_end) {
  if (items.empty() && !can_end) return kDead;
  uint64_t hash = can_end ? 1 : 0;
  for (const Item& item : items) {
    for (const uint32_t part : {item.state, item.count, item.stack})
      hash = (hash ^ part) * 0x9E3779B97F4A7C15 + (hash >> 29);
  }
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const Entry& entry = entries_[it->second];
    if (entry.can_end == can_end && entry.items == items) return it->second;
  }
  if (bytes_ > kMaxBytes) throw base::Error("grammar.too_ambiguous");
  const Id id = static_cast<Id>(entries_.size());
  Entry& entry = entries_.emplace_back();
  entry.next.fill(kUnknown);
  entry.can_end = can_end;
  for (const Item& item : items) add_characters(item, entry);
  entry.items = std::move(items);
  bytes_ += sizeof(Entry) + entry.items.size() * sizeof(Item) + 48;
  by_hash_.emplace(hash, id);
  return id;
}

Positions::Id Positions::make_next(Id position, uint8_t byte) {
  std::vector<Item> items;
  uint8_t first = 0, last = UINT8_MAX;  // bytes for which all edges are the same as for this one
  for (const Item& item : entries_[position].items) {
    const Automaton::State& state = automaton_.states[item.state];
    for (uint32_t e = state.begin; e < state.end; ++e) {
      const Automaton::Edge& edge = automaton_.edges[e];
      if (edge.last < byte) {
        first = std::max<uint8_t>(first, edge.last + 1);
      } else if (edge.first > byte) {
        last = std::min<uint8_t>(last, edge.first - 1);
      } else {
        first = std::max(first, edge.first);
        last = std::min(last, edge.last);
        items.push_back({edge.target, item.count, item.stack});
      }
    }
    work_ += state.end - state.begin;
  }
  Id id = kDead;
  if (!items.empty()) {
    const bool can_end = close(items);
    id = intern(std::move(items), can_end);
  }
  std::array<Id, 256>& next = entries_[position].next;
  std::fill(next.begin() + first, next.begin() + last + 1, id);
  return id;
}

Positions::Id Positions::same_tokens(Id position) {
  if (entries_[position].same_tokens != kUnknown) return entries_[position].same_tokens;
  std::vector<Item> items = entries_[position].items;
  for (Item& item : items) {
    const uint32_t number = automaton_.states[item.state].counter;
    if (number == Automaton::kNone) continue;
    const Automaton::Counter& counter = automaton_.counters[number];
    // A token has at most longest_ rounds in it, and one more may have begun.
    const uint32_t far = longest_ + 1;
    if (item.count < counter.min) {
      if (counter.min - item.count > far) item.count = 0;
    } else if (counter.max == Rules::kUnbounded || counter.max - item.count > far) {
      item.count = counter.min;
    }
  }
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  drop_weaker(items);
  const bool can_end = entries_[position].can_end;
  const Id id = intern(std::move(items), can_end);
  entries_[position].same_tokens = id;
  entries_[id].same_tokens = id;
  return id;
}

Positions::Id Positions::copy_to(Id position, Positions& other) const {
  std::vector<Item> items = entries_[position].items;
  std::unordered_map<uint32_t, uint32_t> copied = {{0, 0}};
  std::vector<uint32_t> path;
  for (Item& item : items) {
    for (uint32_t at = item.stack; !copied.contains(at); at = frames_[at].below) path.push_back(at);
    for (; !path.empty(); path.pop_back()) {
      const Frame& frame = frames_[path.back()];
      copied[path.back()] = other.push(frame.state, copied.at(frame.below));
    }
    item.stack = copied.at(item.stack);
  }
  std::sort(items.begin(), items.end());
  return other.intern(std::move(items), entries_[position].can_end);
}

}  // namespace tulou::grammar
