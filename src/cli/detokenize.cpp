// tulou detokenize: token ids to text. Needs the tokenizer only.
#include <limits>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "checkpoint/ids_json.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/session.h"
#include "cli/text_input.h"
#include "completion/text_model.h"

namespace tulou::cli {

namespace {

constexpr std::string_view kSpaces = " \t\r\n\f\v";

// Whole numbers with white space between them.
std::vector<int32_t> parse_id_list(std::string_view text, const std::string& source) {
  std::vector<int32_t> ids;
  size_t at = text.find_first_not_of(kSpaces);
  while (at != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(kSpaces, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const std::optional<int64_t> id = base::parse_int(word);
    if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max())
      throw base::Error("cli.bad_ids", source, base::printable(word.substr(0, 64)));
    ids.push_back(static_cast<int32_t>(*id));
    at = text.find_first_not_of(kSpaces, end);
  }
  return ids;
}

class DetokenizeCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_text_model(arguments, model_);
    arguments.positional("FILE", file_, "The ids; standard input for - or nothing",
                         Need::kOptional);
    arguments.flag("--special", special_, "Show special tokens");
    arguments.flag("--batch", batch_,
                   "FILE is a JSON array of arrays of ids; the answer an array of texts");
    arguments.examples("Example:\n  echo 9707 | tulou detokenize ./Qwen3-0.6B\n");
  }

  int run(Output& out) override {
    const auto model = completion::TextModel::open(resolve_model(model_));
    const auto show = special_ ? text::ShowSpecial::kShow : text::ShowSpecial::kHide;
    const std::string text = read_file_or_input(file_, kMaxTextBytes);
    if (!batch_) {
      write_text(out, model.tokenizer().decode(parse_id_list(text, shown_source(file_)), show));
      return kExitOk;
    }
    const checkpoint::IdSequences ids = checkpoint::parse_ids(text, shown_source(file_));
    const bool is_empty = ids.sequences.size() == 1 && ids.sequences.front().empty();
    if (!ids.nested && !is_empty)
      throw base::Error("cli.needs_string_array", shown_source(file_), "arrays of ids",
                        "[[1, 2], [3]]");
    base::Json texts = base::Json::array();
    if (ids.nested) {
      for (const std::vector<int32_t>& sequence : ids.sequences)
        texts.push_back(model.tokenizer().decode(sequence, show));
    }
    out.write(base::to_json_text(texts) + "\n");
    return kExitOk;
  }

 private:
  std::string model_, file_;
  bool special_ = false, batch_ = false;
};

}  // namespace

std::unique_ptr<Command> make_detokenize() { return std::make_unique<DetokenizeCommand>(); }

}  // namespace tulou::cli
