// tulou chat: a conversation. Lines that begin with / are commands, """ begins and ends many lines.
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"
#include "cli/answer_options.h"
#include "cli/chat_loop.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/progress_bar.h"
#include "cli/remote_answer.h"
#include "cli/remote_server.h"
#include "cli/session.h"
#include "cli/text_input.h"
#include "completion/stop_strings.h"

namespace tulou::cli {

namespace {

// So that a turn reads only what is new: of the system text, the last messages and answers.
constexpr int64_t kKeptStates = 8;

class ChatCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional(
        "MODEL", model_,
        "Checkpoint folder or .gguf file; with --server the name of a model there");
    declare_answer_options(arguments, settings_, system_);
    arguments.text("--history", "FILE", history_, "Keep typed lines in this file (nowhere)");
    declare_server(arguments, server_, "Ask a running server, http://HOST:PORT or unix:/PATH");
    options_.declare(arguments);
    arguments.examples(
        "Examples:\n"
        "  tulou chat ./Qwen3.5-0.8B --system \"Answer briefly.\"\n"
        "  printf 'Hello\\n/quit\\n' | tulou chat model.gguf\n"
        "  tulou chat --server http://127.0.0.1:11435\n"
        "Within a chat /help tells about its commands.\n");
  }

  int run(Output& out) override {
    settings_.sampling({});  // wrong values are told before anything is loaded
    const completion::StopStrings checked_stops(settings_.stops);
    if (server_.empty()) {
      chat_here(out);
    } else {
      options_.refuse_with_server();
      const RemoteServer server(server_);
      RemoteAnswerer answerer(server, server_, model_.value_or(""));
      hold(answerer, out);
    }
    return kExitOk;
  }

 private:
  void chat_here(Output& out) {
    if (!model_) throw base::Error("cli.usage", "MODEL is required", "chat");
    const ModelSettings model_settings = options_.resolve();
    const std::string path = resolve_model(*model_);
    const auto text_model = completion::TextModel::open(path);
    const text::ChatTemplate chat_template = text_model.chat_template();
    ProgressBar progress;
    Session session(path, model_settings, Precision::kDefault, progress);
    const auto engine = session.make_engine(1, session.context(1), kKeptStates);
    LocalAnswerer answerer(text_model, chat_template, *engine, progress);
    hold(answerer, out);
  }

  void hold(ChatAnswerer& answerer, Output& out) {
    LineReader reader(history_);
    ChatLoop loop({answerer, reader, out});
    loop.conversation().set_system(checked_text(system_, "--system", Invalid::kRefuse));
    loop.settings() = settings_;
    loop.run();
  }

  std::optional<std::string> model_;
  std::string system_, history_, server_;
  AnswerSettings settings_;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_chat() { return std::make_unique<ChatCommand>(); }

}  // namespace tulou::cli
