// tulou run: one prompt, one answer, streamed.
#include "base/error.h"
#include "base/json_value.h"
#include "cli/answer_options.h"
#include "cli/answer_printer.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/progress_bar.h"
#include "cli/remote_answer.h"
#include "cli/remote_server.h"
#include "cli/session.h"
#include "cli/text_input.h"
#include "completion/completion.h"
#include "completion/prompt.h"
#include "completion/text_model.h"

namespace tulou::cli {

namespace {

base::Json sampling_json(const engine::SamplingParams& params) {
  return {{"temperature", params.temperature},
          {"top_k", params.top_k},
          {"top_p", params.top_p},
          {"min_p", params.min_p},
          {"repetition_penalty", params.repetition_penalty},
          {"presence_penalty", params.presence_penalty},
          {"frequency_penalty", params.frequency_penalty},
          {"seed", params.seed}};
}

base::Json result_json(const completion::CompletionResult& result) {
  return {{"text", result.text},
          {"reasoning", result.reasoning},
          {"finish_reason", completion::finish_reason_name(result.finish_reason)},
          {"prompt_tokens", result.prompt_tokens},
          {"generated_tokens", result.generated_tokens},
          {"prompt_seconds", result.prompt_seconds},
          {"generation_seconds", result.generation_seconds},
          {"prompt_tokens_per_second", result.prompt_speed()},
          {"generated_tokens_per_second", result.generation_speed()}};
}

class RunCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional("MODEL", model_,
                         "Checkpoint folder or .gguf file; with --server the name of a model there,"
                         " or the prompt if nothing else says it");
    arguments.positional("PROMPT", prompt_, "The prompt; - is standard input");
    arguments.text("-f,--file", "FILE", file_, "Read the prompt from a file; - is standard input");
    declare_answer_options(arguments, settings_, system_);
    arguments.flag("--raw", raw_, "Continue the text: no template, special tokens are recognised");
    arguments.flag("--json", json_, "One JSON object when the answer is complete");
    arguments.flag("--lossy", lossy_, "Replace what is not UTF-8 instead of refusing it");
    declare_server(arguments, server_, "Ask a running server, http://HOST:PORT or unix:/PATH");
    options_.declare(arguments);
    arguments.examples(
        "Examples:\n"
        "  tulou run ./Qwen3.5-0.8B \"What is the capital of Morocco?\"\n"
        "  cat letter.txt | tulou run ./Qwen3.5-0.8B --system \"Translate to French.\"\n"
        "  tulou run model.gguf --raw \"def fibonacci(n):\" -n 64 --stop \"\\n\\n\"\n"
        "  tulou run --server http://127.0.0.1:11435 \"What is rain?\"\n");
  }

  int run(Output& out) override {
    settings_.sampling({});  // wrong values are told before anything is loaded
    const completion::StopStrings checked_stops(settings_.stops);
    if (!server_.empty()) return run_there(out);
    if (!model_) throw base::Error("cli.usage", "MODEL is required", "run");
    return run_here(out);
  }

 private:
  int run_here(Output& out) {
    const ModelSettings model_settings = options_.resolve();
    const std::string path = resolve_model(*model_);
    const std::string prompt_text = read_prompt();
    const auto text_model = completion::TextModel::open(path);
    const completion::Prompt prompt = make_prompt(text_model, prompt_text);
    ProgressBar progress;
    Session session(path, model_settings, Precision::kDefault, progress);
    const auto engine = session.make_engine(1, session.context(1));
    completion::CompletionRequest request;
    request.prompt = prompt;
    request.sampling = settings_.sampling(text_model.sampling(session.config(), prompt.thinking));
    request.max_tokens = settings_.max_tokens.value_or(-1);
    request.stops = settings_.stops;
    const engine::SamplingParams sampling = request.sampling;
    const InterruptScope interrupt(engine.get());
    completion::Completion completion(text_model, *engine, std::move(request));
    AnswerPrinter printer(out, settings_.hide_think);
    follow(completion, json_ ? nullptr : &printer, progress);
    if (json_) {
      base::Json answer = result_json(completion.result());
      answer["context"] = engine->options().context;
      answer["sampling"] = sampling_json(sampling);
      out.write(base::to_json_text(answer) + "\n");
    } else {
      printer.finish();
    }
    return interrupt.pending() ? kExitInterrupted : kExitOk;
  }

  // Of one argument a server's model is not meant: it has a first one, but there is no first
  // prompt.
  int run_there(Output& out) {
    options_.refuse_with_server();
    if (model_ && !prompt_ && !file_) prompt_.swap(model_);
    const std::string text = read_prompt();
    const std::string model = model_.value_or("");
    const base::Json request = raw_ ? remote_text_request(model, text, settings_)
                                    : remote_chat_request(model, messages(text), settings_);
    const RemoteServer server(server_);
    const InterruptScope interrupt;
    AnswerPrinter printer(out, settings_.hide_think);
    const RemoteAnswer answer =
        follow_remote(server, request, interrupt.flag(), json_ ? nullptr : &printer);
    if (json_) {
      base::Json result = result_json(answer.result);
      result["model"] = answer.model;
      result["cached_tokens"] = answer.cached_tokens;
      out.write(base::to_json_text(result) + "\n");
    } else {
      printer.finish();
    }
    return interrupt.pending() ? kExitInterrupted : kExitOk;
  }

  std::string read_prompt() const {
    const Invalid invalid = lossy_ ? Invalid::kReplace : Invalid::kRefuse;
    if (prompt_ && file_) throw base::Error("cli.two_prompts");
    if (prompt_ && *prompt_ != "-") return checked_text(*prompt_, "the prompt", invalid);
    if (!prompt_ && !file_ && input_is_terminal()) throw base::Error("cli.no_prompt");
    std::string text = read_text(file_.value_or("-"), invalid);
    // The line end that editors and echo add belongs to the file, not to the message.
    if (!raw_ && text.ends_with('\n')) text.pop_back();
    if (text.empty()) throw base::Error("cli.no_prompt");
    return text;
  }

  base::Json messages(const std::string& text) const {
    base::Json messages = base::Json::array();
    if (!system_.empty()) {
      const Invalid invalid = lossy_ ? Invalid::kReplace : Invalid::kRefuse;
      messages.push_back(
          {{"role", "system"}, {"content", checked_text(system_, "--system", invalid)}});
    }
    messages.push_back({{"role", "user"}, {"content", text}});
    return messages;
  }

  completion::Prompt make_prompt(const completion::TextModel& model,
                                 const std::string& text) const {
    if (raw_) return completion::raw_prompt(model, text);
    base::Json conversation = {{"messages", messages(text)}};
    if (settings_.think) conversation["enable_thinking"] = *settings_.think;
    return completion::chat_prompt(model, model.chat_template(), conversation);
  }

  std::string system_, server_;
  std::optional<std::string> model_, prompt_, file_;
  AnswerSettings settings_;
  bool raw_ = false, json_ = false, lossy_ = false;
  ModelOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_run() { return std::make_unique<RunCommand>(); }

}  // namespace tulou::cli
