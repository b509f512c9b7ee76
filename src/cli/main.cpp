// The program: finds the command, parses its options, runs it, and turns errors into exit codes.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace tulou::cli {

const std::vector<CommandEntry>& commands() {
  using enum CommandGroup;
  static const std::vector<CommandEntry> entries = {
      {"run", "Answer one prompt", kUsing, make_run},
      {"chat", "Hold a conversation", kUsing, make_chat},
      {"inspect", "Tell everything about a model, or about this processor", kUsing, make_inspect},
      {"quantize", "Make a GGUF file, smaller or of another type", kUsing, make_quantize},
      {"imatrix", "Which weights matter for a text, for quantize", kUsing, make_imatrix},
      {"serve", "Answer over HTTP, for any OpenAI client", kUsing, make_serve},
      {"ps", "Show what a running server serves", kUsing, make_ps},
      {"stop", "End a running server, or unload one of its models", kUsing, make_stop},
      {"keys", "Make, list and revoke API keys", kUsing, make_keys},
      {"cache", "List or remove what a server keeps on disk", kUsing, make_cache},
      {"tokenize", "Text to token ids", kScripts, make_tokenize},
      {"detokenize", "Token ids to text", kScripts, make_detokenize},
      {"render", "A conversation to the exact prompt text", kScripts, make_render},
      {"logits", "Token ids to logits, as a .npy file", kScripts, make_logits},
      {"generate", "Token ids to the most probable next ids", kScripts, make_generate},
      {"embed", "Token ids to an embedding, as a .npy file", kScripts, make_embed},
      {"perplexity", "How well a model predicts a text", kScripts, make_perplexity},
      {"bench", "How fast a model runs on this machine", kScripts, make_bench},
  };
  return entries;
}

namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tulou run ./Qwen3.5-0.8B \"What is the capital of Morocco?\"\n"
    "  tulou chat ./SmolLM2-135M-Instruct.Q4_1.gguf\n"
    "  cat notes.txt | tulou run ./Qwen3.5-0.8B --system \"Summarise in one line.\"\n"
    "  tulou inspect ./Qwen3.5-0.8B --json\n";

std::string overview() {
  std::string text =
      "Tulou runs Qwen models on the processor of this computer, offline. Linux only.\n\n"
      "Usage: tulou COMMAND [OPTIONS]     MODEL is a checkpoint folder or a .gguf file\n";
  const auto add_group = [&](std::string_view title, CommandGroup group) {
    text += "\n" + std::string(title) + ":\n";
    for (const CommandEntry& entry : commands()) {
      if (entry.group != group) continue;
      std::string name(entry.name);
      name.resize(12, ' ');
      text += "  " + name + std::string(entry.summary) + "\n";
    }
  };
  add_group("Using models", CommandGroup::kUsing);
  add_group("Checking and scripts", CommandGroup::kScripts);
  text +=
      "\nOptions:\n"
      "  -h, --help     This text; tulou COMMAND --help tells about a command\n"
      "  --version      The version\n\n";
  return text + kExamples;
}

// Errors of the command line itself, as opposed to those of files and models.
bool is_usage_error(std::string_view id) {
  static constexpr std::string_view kUsageErrors[] = {"cli.usage",
                                                      "cli.no_command",
                                                      "cli.unknown_command",
                                                      "cli.unknown_global_option",
                                                      "cli.unknown_option",
                                                      "cli.extra_argument",
                                                      "cli.bad_value",
                                                      "cli.configuration",
                                                      "cli.unknown_setting",
                                                      "cli.no_prompt",
                                                      "cli.two_prompts",
                                                      "cli.with_server",
                                                      "net.bad_url",
                                                      "net.url_scheme",
                                                      "completion.stop_string",
                                                      "completion.too_many_stops",
                                                      "sampling.out_of_range",
                                                      "hardware.unknown_level"};
  return std::find(std::begin(kUsageErrors), std::end(kUsageErrors), id) != std::end(kUsageErrors);
}

int report(const base::Error& error) {
  message("error: " + base::printable(error.what()));
  if (!error.hint().empty()) message("hint: " + base::printable(error.hint()));
  if (error.kind() == base::ErrorKind::kCancelled) return kExitInterrupted;
  return is_usage_error(error.id()) ? kExitUsage : kExitFailure;
}

int run_command(const CommandEntry& entry, std::vector<std::string> typed, Output& out) {
  Arguments arguments(std::string(entry.name), std::string(entry.summary));
  const std::unique_ptr<Command> command = entry.make();
  command->declare(arguments);
  if (const std::optional<std::string> help = arguments.parse(std::move(typed))) {
    out.write(*help);
    return kExitOk;
  }
  return command->run(out);
}

int dispatch(const std::vector<std::string>& arguments, Output& out) {
  if (arguments.empty()) throw base::Error("cli.no_command");
  const std::string& word = arguments.front();
  if (word == "-h" || word == "--help" || word == "help") {
    out.write(overview());
    return kExitOk;
  }
  if (word == "--version") {
    out.write("tulou " TULOU_VERSION "\n");
    return kExitOk;
  }
  std::vector<std::string> names;
  for (const CommandEntry& entry : commands()) {
    if (entry.name == word)
      return run_command(entry, {arguments.begin() + 1, arguments.end()}, out);
    names.emplace_back(entry.name);
  }
  const bool is_option = word.starts_with('-');
  if (is_option) names = {"--help", "--version"};
  const std::string near = base::nearest(word, names);
  throw base::Error(is_option ? "cli.unknown_global_option" : "cli.unknown_command",
                    base::printable(word),
                    near.empty() ? "see tulou --help" : "did you mean " + near + "?");
}

int run_program(const std::vector<std::string>& arguments) {
  Output out;
  try {
    const int code = dispatch(arguments, out);
    out.flush();
    return code;
  } catch (const OutputClosed&) {
    return kExitFailure;
  } catch (const base::Error& error) {
    try {
      out.flush();  // what was computed before
    } catch (const std::exception&) {
      // The first error is the one to report.
    }
    return report(error);
  } catch (const std::bad_alloc&) {
    message("error: not enough memory");
    message("hint: use a smaller model or context, or close other programs");
    return kExitFailure;
  } catch (const std::exception& error) {
    message(std::string("error: internal: ") + error.what());
    return kExitFailure;
  }
}

}  // namespace

}  // namespace tulou::cli

int main(int argc, char** argv) {
  // A reader that goes away (| head) shows as EPIPE and ends the program without a message.
  std::signal(SIGPIPE, SIG_IGN);
  // A file beyond the process's limit is a failing write, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  tulou::cli::install_interrupt_handler();
  return tulou::cli::run_program({argv + std::min(argc, 1), argv + argc});
}
