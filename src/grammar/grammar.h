// Constrained decoding: what an answer must look like, as masks over the vocabulary. This is the
// whole interface. Schemas, regular expressions, choices and EBNF become rules (rules.h), rules
// an automaton (automaton.h); its positions are made as a text comes to them (positions.h), and a
// mask is a walk over the vocabulary's bytes (token_trie.h) from a position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tulou::grammar {

enum class GrammarKind {
  kJsonSchema,   // text: a JSON Schema (draft 2020-12; keywords in docs/structured-output.md)
  kJsonObject,   // text: empty; any JSON object
  kRegex,        // text: a regular expression that the whole answer matches
  kChoice,       // text: a JSON array of strings, one of which is the answer
  kEbnf,         // text: a grammar in EBNF with the rule "root"
  kDescription,  // text: a tree of texts and schemas (description.h)
};

struct GrammarSource {
  GrammarKind kind;
  std::string text;
};

// What a grammar needs to know of a tokenizer.
struct VocabularyData {
  // The bytes of each token id; empty: never allowed inside an answer (special tokens, holes).
  std::vector<std::string> tokens;
  // Ids that end an answer; allowed exactly when the text so far is complete. Their bytes do not
  // matter.
  std::vector<int32_t> stop_tokens;
  // Width of the logits, >= tokens.size(); ids beyond tokens are never allowed.
  int32_t vocab_size = 0;
};

// The tables of one tokenizer, sorted once. Shared and immutable.
class Vocabulary {
 public:
  explicit Vocabulary(const VocabularyData& data);
  ~Vocabulary();
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  int32_t vocab_size() const;
  // Words of 32 bits in a mask: ceil(vocab_size / 32).
  size_t mask_words() const;

  struct Tables;
  const Tables& tables() const { return *tables_; }

 private:
  std::unique_ptr<const Tables> tables_;
};

// A grammar compiled for one vocabulary. Immutable; may be used from several threads.
class CompiledGrammar {
 public:
  struct Tables;
  explicit CompiledGrammar(std::unique_ptr<const Tables> tables);
  ~CompiledGrammar();
  CompiledGrammar(const CompiledGrammar&) = delete;
  CompiledGrammar& operator=(const CompiledGrammar&) = delete;

  // Approximate memory, without the vocabulary.
  size_t bytes() const;
  const Tables& tables() const { return *tables_; }

 private:
  std::unique_ptr<const Tables> tables_;
};

// Where one answer stands in its grammar. Not thread-safe; copies are made with fork().
class GrammarMatcher {
 public:
  explicit GrammarMatcher(std::shared_ptr<const CompiledGrammar> grammar);
  ~GrammarMatcher();
  GrammarMatcher(GrammarMatcher&&) noexcept;
  GrammarMatcher& operator=(GrammarMatcher&&) noexcept;

  // Clears the bits of tokens that may not come next: bit i%32 of word i/32 is token i. `mask` has
  // mask_words() words. Returns false if nothing was masked out. After the end (ended()), only stop
  // tokens are left. Error grammar.too_ambiguous, from accept() as well: there are too many ways to
  // read the text, and what may follow cannot be found out in time.
  bool fill(std::span<uint32_t> mask);
  // Moves on by a token; false, and no change, if it is not allowed here.
  bool accept(int32_t token);
  // True if the text so far is complete, so that a stop token is allowed.
  bool can_stop() const;
  // True if a stop token was accepted.
  bool ended() const;
  // A matcher at the same place that goes its own way.
  GrammarMatcher fork() const;

 private:
  struct State;
  explicit GrammarMatcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tulou::grammar
