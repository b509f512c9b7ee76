// Compiles grammars and generates texts by random logits, for compare.py.
//
// usage: grammar_tool CASES.json
// CASES: {"runs": texts for each, "seed": n, "steps": tokens before a text hurries to its end,
//         "cases": [{"kind": "schema" | "object" | "regex" | "choice" | "ebnf", "text": ...}, ...]}
// Writes one JSON line a case: {"error": id, "message": ...} or {"texts": [...], "unfinished": n,
// "dead_ends": n, "not_utf8": n, "ms": time of compilation, "bytes": of memory}.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "grammar/compiler.h"
#include "grammar/random_text_test.h"

namespace {

using tulou::base::Json;
using namespace tulou::grammar;

GrammarKind kind_of(const std::string& name) {
  if (name == "schema") return GrammarKind::kJsonSchema;
  if (name == "object") return GrammarKind::kJsonObject;
  if (name == "regex") return GrammarKind::kRegex;
  if (name == "choice") return GrammarKind::kChoice;
  return GrammarKind::kEbnf;
}

Json run_case(GrammarCompiler& compiler, const VocabularyData& vocabulary, const Json& one,
              const Json& options, uint64_t seed) {
  Json result = Json::object();
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    return time.count();
  };
  std::shared_ptr<const CompiledGrammar> grammar;
  try {
    grammar = compiler.compile(
        {kind_of(one.at("kind").get<std::string>()), one.at("text").get<std::string>()});
  } catch (const tulou::base::Error& error) {
    result["error"] = error.id();
    result["message"] = error.what();
    result["ms"] = elapsed();
    return result;
  }
  result["ms"] = elapsed();
  result["bytes"] = grammar->bytes();
  result["texts"] = Json::array();
  int unfinished = 0, dead_ends = 0, not_utf8 = 0;
  const int runs = options.at("runs").get<int>();
  for (int run = 0; run < runs; ++run) {
    RandomText text(vocabulary, seed * 1000 + static_cast<uint64_t>(run));
    RandomText::End end{};
    try {
      end = text.generate(grammar, options.at("steps").get<int>());
    } catch (const tulou::base::Error& error) {  // grammar.too_ambiguous
      result["error"] = error.id();
      result["message"] = error.what();
      return result;
    }
    if (end == RandomText::End::kDeadEnd) ++dead_ends;
    if (end == RandomText::End::kUnfinished) ++unfinished;
    if (end != RandomText::End::kStopped) continue;
    if (tulou::base::find_invalid_utf8(text.text())) ++not_utf8;
    result["texts"].push_back(text.text());
  }
  result["unfinished"] = unfinished;
  result["dead_ends"] = dead_ends;
  result["not_utf8"] = not_utf8;
  return result;
}

int run(const std::string& path) {
  auto helper = std::make_shared<Helper>();
  const Json cases = tulou::base::read_json_file(path, uint64_t{1} << 30);
  const VocabularyData vocabulary = byte_vocabulary();
  GrammarCompiler compiler(vocabulary, helper);
  uint64_t seed = cases.at("seed").get<uint64_t>();
  for (const Json& one : cases.at("cases")) {
    const std::string line =
        tulou::base::to_json_text(run_case(compiler, vocabulary, one, cases, seed++));
    std::printf("%s\n", line.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: grammar_tool CASES.json\n");
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "grammar_tool: %s\n", error.what());
    return 1;
  }
}
