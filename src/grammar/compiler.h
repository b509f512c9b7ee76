// Compiles grammars within limits, and keeps the results. A helper process (helper.h) compiles each
// first, so that a hostile grammar costs its own request and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "grammar/grammar.h"
#include "grammar/helper.h"
#include "grammar/rules.h"

namespace tulou::grammar {

struct CompilerOptions {
  size_t cache_bytes = 256u << 20;  // of compiled grammars; the least recently used go first
  CompileLimits limits;
};

// Compiles for one vocabulary. Thread-safe. Takes the processor time of a compilation twice, in the
// helper and on the calling thread.
class GrammarCompiler {
 public:
  // Compiles the common grammars (any JSON object).
  GrammarCompiler(const VocabularyData& data, std::shared_ptr<Helper> helper,
                  CompilerOptions options = {});
  ~GrammarCompiler();
  GrammarCompiler(const GrammarCompiler&) = delete;
  GrammarCompiler& operator=(const GrammarCompiler&) = delete;

  // The compiled grammar, from the cache if it is there. Errors: grammar.* (what is not supported,
  // with its keyword and place; what is not well-formed; what cannot be satisfied; what is too
  // large or exceeds the limits), json.* for texts that are not JSON.
  std::shared_ptr<const CompiledGrammar> compile(const GrammarSource& source);

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  // Bytes of compiled grammars in the cache now; never above the cap.
  size_t cached_bytes() const;

 private:
  struct Cache;
  std::shared_ptr<const CompiledGrammar> make(const Rules& rules, Rules::Rule root) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::shared_ptr<Helper> helper_;
  CompilerOptions options_;
  std::shared_ptr<const CompiledGrammar> json_object_;
  mutable std::mutex mutex_;  // guards cache_
  std::unique_ptr<Cache> cache_;
};

}  // namespace tulou::grammar
