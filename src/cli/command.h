// What a command of the program is: it declares its options, and runs.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/output.h"

namespace tulou::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

class Command {
 public:
  virtual ~Command() = default;
  // Adds options, positionals and examples. The pointers in them refer to this object.
  virtual void declare(Arguments& arguments) = 0;
  // Runs with the parsed options; the exit code. Throws base::Error.
  virtual int run(Output& out) = 0;
};

// Groups of the overview that --help prints.
enum class CommandGroup { kUsing, kScripts };

struct CommandEntry {
  std::string_view name;
  std::string_view summary;
  CommandGroup group;
  std::unique_ptr<Command> (*make)();
};

// All commands, in the order of the overview.
const std::vector<CommandEntry>& commands();

std::unique_ptr<Command> make_run();
std::unique_ptr<Command> make_chat();
std::unique_ptr<Command> make_inspect();
std::unique_ptr<Command> make_tokenize();
std::unique_ptr<Command> make_detokenize();
std::unique_ptr<Command> make_render();
std::unique_ptr<Command> make_logits();
std::unique_ptr<Command> make_generate();
std::unique_ptr<Command> make_embed();
std::unique_ptr<Command> make_perplexity();
std::unique_ptr<Command> make_bench();
std::unique_ptr<Command> make_quantize();
std::unique_ptr<Command> make_imatrix();
std::unique_ptr<Command> make_keys();
std::unique_ptr<Command> make_cache();
std::unique_ptr<Command> make_serve();
std::unique_ptr<Command> make_ps();
std::unique_ptr<Command> make_stop();

}  // namespace tulou::cli
