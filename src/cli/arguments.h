// The arguments of one command: what it declares, and the parsing of what was typed. The one place
// that knows the library for it (CLI11), whose headers take long to compile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tulou::cli {

enum class Need { kOptional, kRequired };

// Targets are referred to and written by parse(). `names` are flags separated by commas, the long
// one last ("-n,--max-tokens"); `value` is how the help calls a value ("FILE").
class Arguments {
 public:
  // `command` is the word after "tulou"; `summary` heads the help.
  Arguments(const std::string& command, const std::string& summary);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  void positional(const std::string& name, std::string& target, const std::string& description,
                  Need need);
  // Absent if it was not typed, which an empty text is not.
  void positional(const std::string& name, std::optional<std::string>& target,
                  const std::string& description);
  // One or more, in their order.
  void positionals(const std::string& name, std::vector<std::string>& target,
                   const std::string& description);
  void text(const std::string& names, const std::string& value, std::string& target,
            const std::string& description, Need need = Need::kOptional);
  void text(const std::string& names, const std::string& value, std::optional<std::string>& target,
            const std::string& description);
  // May stand several times; each value is taken as it stands.
  void texts(const std::string& names, std::vector<std::string>& target,
             const std::string& description);
  // A whole number in the range, else Error cli.bad_value from parse().
  void integer(const std::string& names, std::optional<int64_t>& target, int64_t min, int64_t max,
               const std::string& description);
  // Gives the typed value to `take`, which may throw. A `group` has a heading of its own in the
  // help.
  void value(const std::string& names, const std::string& value, const std::string& description,
             const std::function<void(const std::string&)>& take, const std::string& group = "");
  void flag(const std::string& names, bool& target, const std::string& description);
  // False once the flag was typed, absent before.
  void negative_flag(const std::string& names, std::optional<bool>& target,
                     const std::string& description);
  // These two flags may not stand together.
  void exclusive(const std::string& one, const std::string& other);
  // Text at the end of the help.
  void examples(const std::string& text);

  // Parses what stands after the command. Returns the help if that was asked for. Errors cli.usage,
  // cli.unknown_option (with the nearest one), cli.extra_argument, and those of the targets.
  std::optional<std::string> parse(std::vector<std::string> typed);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace tulou::cli
