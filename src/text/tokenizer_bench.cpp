// Measures a tokenizer on one core: time to load, and how fast it encodes and decodes. Times are
// those of the processor, so that other programs disturb little.
//   tokenizer_bench FOLDER TEXTS.json [SECONDS]   TEXTS: an array of strings; JSON out.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "text/tokenizer.h"

namespace {

using tulou::base::Json;
using tulou::text::Tokenizer;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The best time of one call among those that fit in `seconds`, at least three.
template <typename Work>
double best_time(double seconds, Work work) {
  double best = 1e9;
  const double start = cpu_seconds();
  for (int i = 0; i < 3 || cpu_seconds() - start < seconds; ++i) {
    const double begin = cpu_seconds();
    work();
    best = std::min(best, cpu_seconds() - begin);
  }
  return best;
}

Json measure(const std::string& folder, const std::vector<std::string>& texts, double seconds) {
  using tulou::text::load_tokenizer_folder;
  const double load_s =
      best_time(0, [&] { const Tokenizer loaded(load_tokenizer_folder(folder)); });
  const Tokenizer tokenizer(load_tokenizer_folder(folder));
  std::vector<std::vector<int32_t>> ids(texts.size());
  const double encode_s = best_time(seconds, [&] {
    for (size_t i = 0; i < texts.size(); ++i)
      ids[i] = tokenizer.encode(texts[i], Tokenizer::Special::kParse);
  });
  size_t bytes = 0, tokens = 0, decoded = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    bytes += texts[i].size();
    tokens += ids[i].size();
  }
  const double decode_s = best_time(seconds, [&] {
    decoded = 0;
    for (const auto& list : ids)
      decoded += tokenizer.decode(list, tulou::text::ShowSpecial::kShow).size();
  });
  return {{"load_ms", load_s * 1e3},
          {"bytes", bytes},
          {"tokens", tokens},
          {"encode_mb_per_s", static_cast<double>(bytes) / encode_s / 1e6},
          {"decode_mb_per_s", static_cast<double>(decoded) / decode_s / 1e6}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tokenizer_bench FOLDER TEXTS.json [SECONDS]\n");
    return 2;
  }
  try {
    const Json texts = tulou::base::read_json_file(argv[2], 1u << 30);
    const double seconds = argc > 3 ? tulou::base::parse_double(argv[3]).value_or(1) : 1;
    const Json result = measure(argv[1], texts.get<std::vector<std::string>>(), seconds);
    std::printf("%s\n", tulou::base::to_json_text(result).c_str());
    return 0;
  } catch (const tulou::base::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
