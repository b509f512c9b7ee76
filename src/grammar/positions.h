// Where texts may stand in a grammar: sets of states with their stacks, made and remembered as they
// are needed, with the steps between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/token_trie.h"

namespace tulou::grammar {

class Positions {
 public:
  // A number of a position. kDead is one that nothing leads on from.
  using Id = uint32_t;
  static constexpr Id kDead = 0;
  static constexpr uint32_t kEndless = UINT32_MAX;
  // One step at a time may not become endless: of a grammar that has no end of ways to read a text.
  static constexpr size_t kMaxItems = 4096;        // ways to read a text at once
  static constexpr uint64_t kMaxWork = 5'000'000;  // see begin()
  static constexpr size_t kMaxBytes = 32u << 20;

  // `longest`: the most bytes of a token. The automaton must outlive it.
  Positions(const Automaton& automaton, size_t longest);

  Id start() const { return start_; }
  // After one more byte. Errors: grammar.too_ambiguous.
  Id next(Id position, uint8_t byte) {
    const Id known = entries_[position].next[byte];
    return known != kUnknown ? known : make_next(position, byte);
  }
  // The text may end here.
  bool can_end(Id position) const { return entries_[position].can_end; }
  // How many more characters of the first `classes` classes of tokens (1 or more, token_class())
  // are right here in any case.
  uint32_t characters(Id position, size_t classes) const {
    return entries_[position].characters[classes - 1];
  }
  // One position for all that the same tokens may follow, as far as counters tell them apart that
  // no token can bring to their end.
  Id same_tokens(Id position);
  // The same position in another object for the same automaton.
  Id copy_to(Id position, Positions& other) const;

  // A new allowance of work, after which next() gives up; about a tenth of a second.
  void begin() { work_ = 0; }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr Id kUnknown = UINT32_MAX;
  struct Item {
    uint32_t state, count, stack;
    bool operator==(const Item&) const = default;
    bool operator<(const Item& other) const {
      if (state != other.state) return state < other.state;
      return stack != other.stack ? stack < other.stack : count < other.count;
    }
  };
  struct Frame {  // of a stack; stack 0 is empty
    uint32_t state, below;
    bool operator==(const Frame&) const = default;
  };
  struct Entry {
    std::vector<Item> items;  // sorted; states that take bytes
    std::array<Id, 256> next;
    Id same_tokens = kUnknown;
    std::array<uint32_t, kTokenClasses> characters{};
    bool can_end = false;
  };
  struct FrameHash {
    size_t operator()(const Frame& frame) const {
      return (uint64_t{frame.state} << 32 | frame.below) * 0x9E3779B97F4A7C15;
    }
  };

  Id make_next(Id position, uint8_t byte);
  Id intern(std::vector<Item> items, bool can_end);
  uint32_t push(uint32_t state, uint32_t below);
  bool close(std::vector<Item>& items);
  void expand(const Item& item, std::vector<Item>& out, bool& can_end);
  void drop_weaker(std::vector<Item>& items) const;
  void add_characters(const Item& item, Entry& entry) const;

  const Automaton& automaton_;
  uint32_t longest_;
  std::vector<Entry> entries_;
  std::unordered_multimap<uint64_t, Id> by_hash_;
  std::vector<Frame> frames_;
  std::unordered_map<Frame, uint32_t, FrameHash> stacks_;
  uint64_t work_ = 0;
  size_t bytes_ = 0;
  Id start_ = kDead;
};

}  // namespace tulou::grammar
