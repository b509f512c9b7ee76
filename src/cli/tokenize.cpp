// tulou tokenize: text to token ids. Needs the tokenizer only.
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

class TokenizeCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_text_model(arguments, model_);
    arguments.positional("FILE", file_, "The text; standard input for - or nothing",
                         Need::kOptional);
    arguments.flag("--special", special_, "Recognise special tokens that are written in the text");
    arguments.flag("--batch", batch_,
                   "FILE is a JSON array of texts; the answer an array of arrays");
    arguments.flag("--lossy", lossy_, "Replace what is not UTF-8 instead of refusing it");
    arguments.examples(
        "Examples:\n"
        "  printf 'Hello' | tulou tokenize ./Qwen3.5-0.8B\n"
        "  tulou tokenize model.gguf texts.json --batch\n");
  }

  int run(Output& out) override {
    const auto model = completion::TextModel::open(resolve_model(model_));
    const Invalid invalid = lossy_ ? Invalid::kReplace : Invalid::kRefuse;
    if (batch_) {
      run_batch(model.tokenizer(), invalid, out);
      return kExitOk;
    }
    const std::vector<int32_t> ids = encode(model.tokenizer(), read_text(file_, invalid));
    std::string line;
    for (const int32_t id : ids) {
      if (!line.empty()) line += ' ';
      line += base::to_text(id);
    }
    out.write(line + "\n");
    return kExitOk;
  }

 private:
  std::vector<int32_t> encode(const text::Tokenizer& tokenizer, std::string_view text) const {
    using enum text::Tokenizer::Special;
    return tokenizer.encode(text, special_ ? kParse : kText);
  }

  void run_batch(const text::Tokenizer& tokenizer, Invalid invalid, Output& out) const {
    const base::Json texts = base::parse_json(read_text(file_, invalid), shown_source(file_));
    const auto refuse = [&] {
      throw base::Error("cli.needs_string_array", shown_source(file_), "texts",
                        "[\"one\", \"two\"]");
    };
    if (!texts.is_array()) refuse();
    checkpoint::IdSequences ids;
    ids.nested = true;
    for (const base::Json& text : texts) {
      if (!text.is_string()) refuse();
      ids.sequences.push_back(encode(tokenizer, text.get_ref<const std::string&>()));
    }
    out.write(checkpoint::ids_text(ids) + "\n");
  }

  std::string model_, file_;
  bool special_ = false, batch_ = false, lossy_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tokenize() { return std::make_unique<TokenizeCommand>(); }

}  // namespace tulou::cli
