#include "grammar/grammar.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "grammar/tables.h"
#include "grammar/token_mask.h"

namespace tulou::grammar {
namespace {

std::vector<std::string> without_stop_tokens(const VocabularyData& data) {
  std::vector<std::string> tokens = data.tokens;
  ASSERT(static_cast<size_t>(data.vocab_size) >= tokens.size());
  for (const int32_t stop : data.stop_tokens) {
    if (static_cast<size_t>(stop) < tokens.size()) tokens[static_cast<size_t>(stop)].clear();
  }
  return tokens;
}

// Sets the tokens of the tree that may come at `start`. `classes`: so many of the classes of tokens
// have the characters of all tokens of the tree; 0 if none has. Where any of these characters are
// right, tokens and whole subtrees are taken without a closer look.
void walk(const TokenTrie& trie, size_t classes, Positions& positions, Positions::Id start,
          std::span<uint32_t> mask) {
  const auto sure = [&](Positions::Id at) {
    return classes == 0 ? 0 : positions.characters(at, classes);
  };
  const uint32_t done = trie.mask_characters(sure(start));
  trie.set_up_to(done, mask);
  if (done == Positions::kEndless) return;
  std::vector<Positions::Id> path(trie.max_depth() + size_t{1});
  path[0] = start;
  for (size_t i = 0; i < trie.num_nodes();) {
    const TokenTrie::Node& node = trie.nodes()[i];
    if (done > 0 && node.most <= done) {
      i += node.skip;
      continue;
    }
    const Positions::Id at = positions.next(path[node.depth - size_t{1}], node.byte);
    const uint32_t further = node.most - uint32_t{node.characters};
    if (at == Positions::kDead) {
      i += node.skip;
    } else if (further > 0 && node.most < UINT8_MAX && sure(at) >= further) {
      for (const int32_t token : trie.tokens(i)) allow(mask, token);
      i += node.skip;
    } else {
      path[node.depth] = at;
      if (node.is_token) allow(mask, trie.tokens(i)[0]);
      ++i;
    }
  }
}

std::vector<uint32_t> make_mask(const Vocabulary::Tables& vocabulary, Positions& positions,
                                Positions::Id at) {
  std::vector<uint32_t> mask((static_cast<size_t>(vocabulary.vocab_size) + 31) / 32, 0);
  const TokenTries& tries = vocabulary.tries;
  for (size_t i = 0; i <= kTokenClasses; ++i) {
    const size_t classes = i == kTokenClasses ? 0 : i + 1;
    walk(tries.trie(i), classes, positions, at, mask);
  }
  for (const auto& [token, same] : tries.duplicates()) {
    if (is_allowed(mask, token)) allow(mask, same);
  }
  if (positions.can_end(at)) {
    for (const int32_t token : vocabulary.stop_tokens) allow(mask, token);
  }
  return mask;
}

bool is_stop(const Vocabulary::Tables& vocabulary, int32_t token) {
  return std::ranges::find(vocabulary.stop_tokens, token) != vocabulary.stop_tokens.end();
}

}  // namespace

Vocabulary::Vocabulary(const VocabularyData& data) {
  std::vector<std::string> tokens = without_stop_tokens(data);
  TokenTries tries(tokens);
  tables_ = std::make_unique<const Tables>(
      Tables{std::move(tokens), data.stop_tokens, data.vocab_size, std::move(tries)});
}
Vocabulary::~Vocabulary() = default;

int32_t Vocabulary::vocab_size() const { return tables_->vocab_size; }

size_t Vocabulary::mask_words() const { return (static_cast<size_t>(vocab_size()) + 31) / 32; }

CompiledGrammar::CompiledGrammar(std::unique_ptr<const Tables> tables)
    : tables_(std::move(tables)) {}
CompiledGrammar::~CompiledGrammar() = default;

size_t CompiledGrammar::bytes() const {
  const size_t mask = tables_->vocabulary->mask_words() * sizeof(uint32_t);
  return tables_->automaton.bytes() + KnownMasks::kMaxBytes + KnownMasks::kMaxMasks * mask;
}

struct GrammarMatcher::State {
  std::shared_ptr<const CompiledGrammar> grammar;
  std::shared_ptr<KnownMasks> known;
  Positions::Id at;
  bool ended = false;

  const CompiledGrammar::Tables& tables() const { return grammar->tables(); }
  const Vocabulary::Tables& vocabulary() const { return tables().vocabulary->tables(); }

  // Under the lock: goes on with what all matchers of the grammar know, which stays small.
  void renew() {
    std::shared_ptr<KnownMasks>& common = tables().known;
    if (!common || common->positions.bytes() > KnownMasks::kMaxBytes) {
      common = std::make_shared<KnownMasks>(tables().automaton, vocabulary().tries.longest_token());
    }
    if (known == common) return;
    at = known ? known->positions.copy_to(at, common->positions) : common->positions.start();
    known = common;
  }
};

GrammarMatcher::GrammarMatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}

GrammarMatcher::GrammarMatcher(std::shared_ptr<const CompiledGrammar> grammar) {
  ASSERT(grammar != nullptr);
  state_ = std::make_unique<State>(State{std::move(grammar), nullptr, Positions::kDead});
  const std::lock_guard lock(state_->tables().mutex);
  state_->renew();
}

GrammarMatcher::~GrammarMatcher() = default;
GrammarMatcher::GrammarMatcher(GrammarMatcher&&) noexcept = default;
GrammarMatcher& GrammarMatcher::operator=(GrammarMatcher&&) noexcept = default;

bool GrammarMatcher::fill(std::span<uint32_t> mask) {
  const Vocabulary::Tables& vocabulary = state_->vocabulary();
  ASSERT(mask.size() == state_->tables().vocabulary->mask_words());
  uint32_t cleared = 0;
  const auto keep = [&](size_t word, uint32_t allowed) {
    cleared |= mask[word] & ~allowed;
    mask[word] &= allowed;
  };
  if (ended()) {
    std::vector<uint32_t> stops(mask.size(), 0);
    for (const int32_t token : vocabulary.stop_tokens) allow(stops, token);
    for (size_t i = 0; i < mask.size(); ++i) keep(i, stops[i]);
    return cleared != 0;
  }
  const std::lock_guard lock(state_->tables().mutex);
  state_->renew();
  KnownMasks& known = *state_->known;
  known.positions.begin();
  const Positions::Id at = known.positions.same_tokens(state_->at);
  auto found = known.masks.find(at);
  if (found == known.masks.end()) {
    if (known.masks.size() >= KnownMasks::kMaxMasks) known.masks.clear();
    found = known.masks.emplace(at, make_mask(vocabulary, known.positions, at)).first;
  }
  for (size_t i = 0; i < mask.size(); ++i) keep(i, found->second[i]);
  return cleared != 0;
}

bool GrammarMatcher::accept(int32_t token) {
  const Vocabulary::Tables& vocabulary = state_->vocabulary();
  if (token < 0 || token >= vocabulary.vocab_size || ended()) return false;
  if (is_stop(vocabulary, token)) return state_->ended = can_stop();
  const auto id = static_cast<size_t>(token);
  if (id >= vocabulary.tokens.size() || vocabulary.tokens[id].empty()) return false;
  const std::lock_guard lock(state_->tables().mutex);
  Positions& positions = state_->known->positions;
  positions.begin();
  Positions::Id at = state_->at;
  for (const char c : vocabulary.tokens[id]) at = positions.next(at, static_cast<uint8_t>(c));
  if (at == Positions::kDead) return false;
  state_->at = at;
  return true;
}

bool GrammarMatcher::can_stop() const {
  const std::lock_guard lock(state_->tables().mutex);
  return state_->ended || state_->known->positions.can_end(state_->at);
}

bool GrammarMatcher::ended() const { return state_->ended; }

GrammarMatcher GrammarMatcher::fork() const {
  return GrammarMatcher(std::make_unique<State>(*state_));
}

}  // namespace tulou::grammar
