#include "grammar/compiler.h"

#include <list>
#include <map>
#include <string_view>
#include <utility>

#include "grammar/source.h"
#include "grammar/tables.h"

namespace tulou::grammar {

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
      cache_(std::make_unique<Cache>()) {
  Rules rules;
  const Rules::Rule root = add_source(rules, {GrammarKind::kJsonObject, ""});
  json_object_ = make(rules, root);
}

GrammarCompiler::~GrammarCompiler() = default;

std::shared_ptr<const CompiledGrammar> GrammarCompiler::make(const Rules& rules,
                                                             Rules::Rule root) const {
  return std::make_shared<const CompiledGrammar>(
      std::make_unique<const CompiledGrammar::Tables>(vocabulary_, build_automaton(rules, root)));
}

std::shared_ptr<const CompiledGrammar> GrammarCompiler::compile(const GrammarSource& source) {
  if (source.kind == GrammarKind::kJsonObject) return json_object_;
  Rules rules;
  const Rules::Rule root = add_source(rules, source);
  const std::string key = rules.ebnf(root);
  {
    const std::lock_guard lock(mutex_);
    if (auto grammar = cache_->find(key)) return grammar;
  }
  helper_->prove(source, options_.limits);
  auto grammar = make(rules, root);
  const std::lock_guard lock(mutex_);
  cache_->add(key, grammar, options_.cache_bytes);
  return grammar;
}

size_t GrammarCompiler::cached_bytes() const {
  const std::lock_guard lock(mutex_);
  return cache_->bytes;
}

}  // namespace tulou::grammar
