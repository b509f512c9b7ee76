// Reading and showing text; see text_input.h.
#include "cli/text_input.h"

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "base/utf8.h"
#include "completion/text_model.h"

namespace tulou::cli {

std::string shown_source(const std::string& path) {
  return path.empty() || path == "-" ? "standard input" : base::printable(path);
}

std::string checked_text(std::string text, const std::string& source, Invalid invalid) {
  const std::optional<size_t> bad = base::find_invalid_utf8(text);
  if (!bad) return text;
  if (invalid == Invalid::kReplace) return base::replace_invalid_utf8(text);
  throw base::Error("cli.not_utf8", source, *bad);
}

std::string read_text(const std::string& path, Invalid invalid) {
  return checked_text(read_file_or_input(path, kMaxTextBytes), shown_source(path), invalid);
}

std::vector<int32_t> read_tokens(const std::string& path, const std::string& file,
                                 Invalid invalid) {
  const std::string text = read_text(file, invalid);
  const auto model = completion::TextModel::open(path);
  return model.tokenizer().encode(text, text::Tokenizer::Special::kText);
}

base::Json read_json(const std::string& path) {
  return base::parse_json(read_file_or_input(path, kMaxTextBytes), shown_source(path));
}

void write_text(Output& out, std::string_view text) {
  if (!out.is_terminal()) return out.write(text);
  out.write(base::printable(text, base::Layout::kKeep));
  if (!text.ends_with('\n')) out.write("\n");
}

}  // namespace tulou::cli
