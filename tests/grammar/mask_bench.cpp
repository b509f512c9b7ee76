// What structured output costs with a real vocabulary: compiling each grammar of a file, and the
// mask of each token of an answer to it.
//
// usage: mask_bench TOKENIZER_FOLDER CASES.json
// CASES: [{"name": ..., "kind": "schema" | "object" | "regex" | "choice" | "ebnf", "text": ...,
//          "answer": a text that the grammar allows; it is followed token by token}, ...]
// Writes one JSON line a case: {"name", "compile_ms" (processor time, without the helper),
// "tokens", "mean_ms" and "max_ms" of the masks along the answer, then "random_mean_ms" and
// "random_max_ms" along texts of random choices, "error"}. The limits of compilation are the
// program's.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/rng.h"
#include "completion/text_model.h"
#include "grammar/compiler.h"

namespace {

using tulou::base::Json;
using namespace tulou::grammar;

// Of this thread: what else the machine does makes no difference.
double processor_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

GrammarKind kind_of(const std::string& name) {
  if (name == "schema") return GrammarKind::kJsonSchema;
  if (name == "object") return GrammarKind::kJsonObject;
  if (name == "regex") return GrammarKind::kRegex;
  if (name == "choice") return GrammarKind::kChoice;
  return GrammarKind::kEbnf;
}

// As the server makes it: special tokens are no text.
VocabularyData vocabulary_of(const tulou::text::Tokenizer& tokenizer, int32_t vocab_size) {
  VocabularyData data;
  data.vocab_size = vocab_size;
  for (int32_t id = 0; id < std::min(tokenizer.num_tokens(), vocab_size); ++id) {
    data.tokens.emplace_back(tokenizer.is_special(id) ? "" : tokenizer.token_bytes(id));
  }
  for (const auto& token : tokenizer.added_tokens()) {
    if (token.id < 0 || token.id >= vocab_size) continue;
    data.tokens[static_cast<size_t>(token.id)].clear();
    if (token.content == "<|im_end|>") data.stop_tokens.push_back(token.id);
  }
  return data;
}

struct Times {
  double sum = 0, most = 0;
  int64_t count = 0;
  void add(double ms) {
    sum += ms;
    most = std::max(most, ms);
    ++count;
  }
  double mean() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
};

// Follows a text; false if the grammar does not let it through.
bool follow(GrammarMatcher& matcher, const std::vector<int32_t>& ids, std::vector<uint32_t>& mask,
            Times& times) {
  for (const int32_t id : ids) {
    mask.assign(mask.size(), ~uint32_t{0});
    const double begin = processor_ms();
    matcher.fill(mask);
    times.add(processor_ms() - begin);
    const bool allowed = (mask[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0;
    if (!allowed || !matcher.accept(id)) return false;
  }
  return matcher.can_stop();
}

void wander(const std::shared_ptr<const CompiledGrammar>& grammar, std::vector<uint32_t>& mask,
            uint64_t seed, Times& times) {
  constexpr int kSteps = 100;
  GrammarMatcher matcher(grammar);
  std::vector<int32_t> allowed;
  for (int step = 0; step < kSteps && !matcher.ended(); ++step) {
    mask.assign(mask.size(), ~uint32_t{0});
    const double begin = processor_ms();
    matcher.fill(mask);
    times.add(processor_ms() - begin);
    allowed.clear();
    for (size_t word = 0; word < mask.size(); ++word) {
      for (uint32_t bits = mask[word]; bits != 0; bits &= bits - 1)
        allowed.push_back(static_cast<int32_t>(32 * word) + __builtin_ctz(bits));
    }
    if (allowed.empty()) return;
    const double chosen = tulou::base::random_uniform(seed, 0, static_cast<uint64_t>(step));
    matcher.accept(allowed[static_cast<size_t>(chosen * static_cast<double>(allowed.size()))]);
  }
}

Json run_case(GrammarCompiler& compiler, const tulou::text::Tokenizer& tokenizer, const Json& one) {
  Json result = {{"name", one.at("name")}};
  const double begin = processor_ms();
  std::shared_ptr<const CompiledGrammar> grammar;
  try {
    grammar = compiler.compile(
        {kind_of(one.at("kind").get<std::string>()), one.at("text").get<std::string>()});
  } catch (const tulou::base::Error& error) {
    result["error"] = error.id();
    return result;
  }
  result["compile_ms"] = processor_ms() - begin;
  result["bytes"] = grammar->bytes();
  std::vector<uint32_t> mask(compiler.vocabulary().mask_words());
  Times times, random;
  GrammarMatcher matcher(grammar);
  const auto ids =
      tokenizer.encode(one.at("answer").get<std::string>(), tulou::text::Tokenizer::Special::kText);
  if (!follow(matcher, ids, mask, times)) result["error"] = "the answer is not let through";
  for (uint64_t seed = 0; seed < 3; ++seed) wander(grammar, mask, seed, random);
  result["tokens"] = times.count;
  result["mean_ms"] = times.mean();
  result["max_ms"] = times.most;
  result["random_mean_ms"] = random.mean();
  result["random_max_ms"] = random.most;
  return result;
}

int run(const std::string& folder, const std::string& path) {
  constexpr int32_t kVocabSize = 248'320;  // Qwen3.5's
  auto helper = std::make_shared<Helper>();
  const auto text = tulou::completion::TextModel::open(folder);
  const Json cases = tulou::base::read_json_file(path, uint64_t{1} << 24);
  const VocabularyData vocabulary = vocabulary_of(text.tokenizer(), kVocabSize);
  const double begin = processor_ms();
  GrammarCompiler compiler(vocabulary, helper);
  std::printf("{\"vocabulary_ms\":%.0f}\n", processor_ms() - begin);
  for (const Json& one : cases) {
    const std::string line = tulou::base::to_json_text(run_case(compiler, text.tokenizer(), one));
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: mask_bench TOKENIZER_FOLDER CASES.json\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mask_bench: %s\n", error.what());
    return 1;
  }
}
