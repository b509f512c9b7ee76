#include "grammar/compiler.h"

#include <list>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "grammar/source.h"
#include "grammar/xgrammar_tables.h"

namespace tulou::grammar {

// XGrammar's compiler for the vocabulary.
struct GrammarCompiler::Engine {
  xgrammar::GrammarCompiler compiler;

  std::shared_ptr<const CompiledGrammar> compile(const std::string& ebnf) {
    return std::make_shared<const CompiledGrammar>(std::make_unique<const CompiledGrammar::Tables>(
        CompiledGrammar::Tables{compiler.CompileGrammar(ebnf)}));
  }
};

// Least recently used last. Keys are the EBNF texts, so that schemas that differ in their
// descriptions only share an entry.
struct GrammarCompiler::Cache {
  struct Entry {
    std::string key;
    std::shared_ptr<const CompiledGrammar> grammar;
    size_t bytes;
  };
  std::list<Entry> entries;
  std::map<std::string_view, std::list<Entry>::iterator> by_key;
  size_t bytes = 0;

  std::shared_ptr<const CompiledGrammar> find(const std::string& key) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) return nullptr;
    entries.splice(entries.begin(), entries, found->second);
    return found->second->grammar;
  }

  void add(const std::string& key, std::shared_ptr<const CompiledGrammar> grammar, size_t cap) {
    const size_t size = grammar->bytes() + 2 * key.size() + sizeof(Entry);
    if (size > cap || by_key.contains(key)) return;
    while (bytes + size > cap) {
      bytes -= entries.back().bytes;
      by_key.erase(entries.back().key);
      entries.pop_back();
    }
    entries.push_front({key, std::move(grammar), size});
    by_key.emplace(entries.front().key, entries.begin());
    bytes += size;
  }
};

GrammarCompiler::GrammarCompiler(const VocabularyData& data, std::shared_ptr<Helper> helper,
                                 CompilerOptions options)
    : vocabulary_(std::make_shared<const Vocabulary>(data)),
      helper_(std::move(helper)),
      options_(options),
      engine_(std::make_unique<Engine>(
          Engine{xgrammar::GrammarCompiler(vocabulary_->tables().tokenizer, 1, kNoCache)})),
      cache_(std::make_unique<Cache>()) {
  helper_vocabulary_ = helper_->add_vocabulary(data);
  json_object_ = engine_->compile(to_ebnf({GrammarKind::kJsonObject, ""}));
}

GrammarCompiler::~GrammarCompiler() {
  try {
    helper_->remove_vocabulary(helper_vocabulary_);
  } catch (const base::Error&) {  // the helper is gone, and its memory with it
  }
}

std::shared_ptr<const CompiledGrammar> GrammarCompiler::compile(const GrammarSource& source) {
  if (source.kind == GrammarKind::kJsonObject) return json_object_;
  const std::string ebnf = to_ebnf(source);
  {
    const std::lock_guard lock(mutex_);
    if (auto grammar = cache_->find(ebnf)) return grammar;
  }
  helper_->prove(helper_vocabulary_, ebnf, options_.limits);
  auto grammar = engine_->compile(ebnf);
  const std::lock_guard lock(mutex_);
  cache_->add(ebnf, grammar, options_.cache_bytes);
  return grammar;
}

size_t GrammarCompiler::cached_bytes() const {
  const std::lock_guard lock(mutex_);
  return cache_->bytes;
}

}  // namespace tulou::grammar
