// Arguments on top of CLI11; see arguments.h.
#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"
#include "cli/option_value.h"

namespace tulou::cli {

struct Arguments::Parser {
  Parser(const std::string& name, const std::string& summary)
      : command(name), app(summary, "tulou " + name) {}
  std::string command;
  CLI::App app;

  CLI::Option* add(const std::string& names, const std::string& description,
                   const std::function<void(const std::string&)>& take) {
    return app.add_option_function<std::string>(names, take, description);
  }
  // The typed text goes into `target`.
  template <typename Target>
  CLI::Option* assign(const std::string& names, const std::string& description, Target& target) {
    return add(names, description, [&target](const std::string& typed) { target = typed; });
  }
  // The first of the arguments left over that looks like an option, else the first.
  [[noreturn]] void throw_left_over() const;
};

void Arguments::Parser::throw_left_over() const {
  const std::vector<std::string> left_over = app.remaining();
  const auto is_option = [](const std::string& text) {
    return text.size() > 1 && text.starts_with('-');
  };
  const auto option = std::find_if(left_over.begin(), left_over.end(), is_option);
  if (option == left_over.end())
    throw base::Error("cli.extra_argument", command,
                      base::printable(left_over.empty() ? "" : left_over.front()));
  std::vector<std::string> names;
  for (const CLI::Option* known : app.get_options()) {
    for (const std::string& name : known->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : known->get_snames()) names.push_back("-" + name);
  }
  const std::string typed = option->substr(0, option->find('='));
  const std::string near = base::nearest(typed, names);
  throw base::Error(
      "cli.unknown_option", base::printable(typed), command,
      near.empty() ? "see tulou " + command + " --help" : "did you mean " + near + "?");
}

Arguments::Arguments(const std::string& command, const std::string& summary)
    : parser_(std::make_unique<Parser>(command, summary)) {
  parser_->app.set_help_flag("-h,--help", "This text");
  parser_->app.get_formatter()->column_width(34);
}

Arguments::~Arguments() = default;

void Arguments::positional(const std::string& name, std::string& target,
                           const std::string& description, Need need) {
  parser_->assign(name, description, target)->required(need == Need::kRequired);
}

void Arguments::positional(const std::string& name, std::optional<std::string>& target,
                           const std::string& description) {
  parser_->assign(name, description, target);
}

void Arguments::positionals(const std::string& name, std::vector<std::string>& target,
                            const std::string& description) {
  const auto take = [&target](const CLI::results_t& values) {
    target.assign(values.begin(), values.end());
    return true;
  };
  parser_->app.add_option(name, take, description)->required()->expected(1, -1)->allow_extra_args();
}

void Arguments::text(const std::string& names, const std::string& value, std::string& target,
                     const std::string& description, Need need) {
  parser_->assign(names, description, target)->type_name(value)->required(need == Need::kRequired);
}

void Arguments::text(const std::string& names, const std::string& value,
                     std::optional<std::string>& target, const std::string& description) {
  parser_->assign(names, description, target)->type_name(value);
}

void Arguments::texts(const std::string& names, std::vector<std::string>& target,
                      const std::string& description) {
  const auto take = [&target](const CLI::results_t& values) {
    target.assign(values.begin(), values.end());
    return true;
  };
  parser_->app.add_option(names, take, description)
      ->type_name("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

void Arguments::integer(const std::string& names, std::optional<int64_t>& target, int64_t min,
                        int64_t max, const std::string& description) {
  const std::string what = names.substr(names.rfind("--"));
  const auto take = [&target, what, min, max](const std::string& typed) {
    target = integer_value(what, typed, min, max);
  };
  parser_->add(names, description, take)->type_name("N");
}

void Arguments::value(const std::string& names, const std::string& value,
                      const std::string& description,
                      const std::function<void(const std::string&)>& take,
                      const std::string& group) {
  CLI::Option* option = parser_->add(names, description, take)->type_name(value);
  if (!group.empty()) option->group(group);
}

void Arguments::flag(const std::string& names, bool& target, const std::string& description) {
  parser_->app.add_flag_callback(names, [&target] { target = true; }, description);
}

void Arguments::negative_flag(const std::string& names, std::optional<bool>& target,
                              const std::string& description) {
  parser_->app.add_flag_callback(names, [&target] { target = false; }, description);
}

void Arguments::exclusive(const std::string& one, const std::string& other) {
  parser_->app.get_option(one)->excludes(parser_->app.get_option(other));
}

void Arguments::examples(const std::string& text) { parser_->app.footer(text); }

std::optional<std::string> Arguments::parse(std::vector<std::string> typed) {
  std::reverse(typed.begin(), typed.end());  // what CLI11 expects of a vector
  try {
    parser_->app.parse(std::move(typed));
  } catch (const CLI::CallForHelp&) {
    return parser_->app.help();
  } catch (const CLI::ExtrasError&) {
    parser_->throw_left_over();
  } catch (const CLI::ParseError& error) {
    if (parser_->app.remaining_size() > 0) parser_->throw_left_over();
    throw base::Error("cli.usage", base::printable(error.what()), parser_->command);
  }
  return std::nullopt;
}

}  // namespace tulou::cli
