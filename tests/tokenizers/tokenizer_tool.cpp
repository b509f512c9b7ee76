// The `tokenize --batch` and `detokenize --batch` commands on a tokenizer folder, without the rest
// of the program: for compare.py while only src/text is built, and for profiling.
//   tokenizer_tool tokenize|detokenize FOLDER FILE [--special] [--batch]
#include <cstdio>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "text/tokenizer.h"

namespace {

using tulou::base::Json;
using tulou::text::Tokenizer;

Json tokenize(const Tokenizer& tokenizer, const Json& texts, bool special) {
  Json result = Json::array();
  for (const Json& text : texts)
    result.push_back(
        tokenizer.encode(text.get_ref<const std::string&>(),
                         special ? Tokenizer::Special::kParse : Tokenizer::Special::kText));
  return result;
}

Json detokenize(const Tokenizer& tokenizer, const Json& lists, bool special) {
  using tulou::text::ShowSpecial;
  Json result = Json::array();
  for (const Json& ids : lists)
    result.push_back(tokenizer.decode(ids.get<std::vector<int32_t>>(),
                                      special ? ShowSpecial::kShow : ShowSpecial::kHide));
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string command = argv[1];
  bool special = false;
  for (int i = 4; i < argc; ++i) special = special || std::string(argv[i]) == "--special";
  try {
    const Tokenizer tokenizer(tulou::text::load_tokenizer_folder(argv[2]));
    const Json input = tulou::base::read_json_file(argv[3], 1u << 30);
    const Json output = command == "tokenize" ? tokenize(tokenizer, input, special)
                                              : detokenize(tokenizer, input, special);
    const std::string text = tulou::base::to_json_text(output) + "\n";
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
  } catch (const tulou::base::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
