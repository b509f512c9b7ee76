// tulou render: a conversation to the exact text of the prompt. Needs the template only.
#include "base/json_value.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/session.h"
#include "cli/text_input.h"
#include "completion/prompt.h"
#include "completion/text_model.h"

namespace tulou::cli {

namespace {

class RenderCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    declare_text_model(arguments, model_);
    arguments.positional("CONVERSATION", file_,
                         "JSON: {\"messages\": [...], \"tools\": [...], \"enable_thinking\": ..., "
                         "\"add_generation_prompt\": ...}; - is standard input",
                         Need::kRequired);
    arguments.examples("Example:\n  tulou render ./Qwen3.5-0.8B conversation.json\n");
  }

  int run(Output& out) override {
    const auto model = completion::TextModel::open(resolve_model(model_));
    const text::ChatTemplate chat_template = model.chat_template();
    const base::Json conversation = read_json(file_);
    write_text(out, chat_template.render_text(completion::template_context(model, conversation)));
    return kExitOk;
  }

 private:
  std::string model_, file_;
};

}  // namespace

std::unique_ptr<Command> make_render() { return std::make_unique<RenderCommand>(); }

}  // namespace tulou::cli
