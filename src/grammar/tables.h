// What stands behind the types of the interface (grammar.h). For this folder's sources alone.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/grammar.h"
#include "grammar/positions.h"
#include "grammar/token_trie.h"

namespace tulou::grammar {

struct Vocabulary::Tables {
  std::vector<std::string> tokens;  // stop tokens are empty
  std::vector<int32_t> stop_tokens;
  int32_t vocab_size;
  TokenTries tries;
};

// Masks that were made, by the position they belong to.
struct KnownMasks {
  // With the large vocabularies of Qwen3.5 a mask has 31 KiB.
  static constexpr size_t kMaxMasks = 48;
  // When more is known, what is needed next is learnt anew.
  static constexpr size_t kMaxBytes = 2u << 20;

  KnownMasks(const Automaton& automaton, size_t longest_token)
      : positions(automaton, longest_token) {}

  Positions positions;
  std::unordered_map<Positions::Id, std::vector<uint32_t>> masks;
};

struct CompiledGrammar::Tables {
  Tables(std::shared_ptr<const Vocabulary> its_vocabulary, Automaton its_automaton)
      : vocabulary(std::move(its_vocabulary)), automaton(std::move(its_automaton)) {}

  std::shared_ptr<const Vocabulary> vocabulary;
  Automaton automaton;
  mutable std::mutex mutex;                   // guards what follows and what it points to
  mutable std::shared_ptr<KnownMasks> known;  // matchers may hold an older one
};

}  // namespace tulou::grammar
