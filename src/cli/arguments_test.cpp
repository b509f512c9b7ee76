// Declaring and parsing of arguments.
#include "cli/arguments.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tulou::cli {
namespace {

// A command with one argument of each kind.
struct Typed {
  Typed() : arguments("try", "Tries arguments") {
    arguments.positional("MODEL", model, "A model", Need::kRequired);
    arguments.positional("PROMPT", prompt, "A prompt");
    arguments.text("--out", "FILE", out, "A file");
    arguments.text("-f,--file", "FILE", file, "Another file");
    arguments.texts("--stop", stops, "A stop");
    arguments.integer("-n,--count", count, 1, 9, "A number");
    arguments.flag("--json", json, "A flag");
    arguments.negative_flag("--no-think", think, "A flag that says no");
    arguments.exclusive("--out", "--file");
    arguments.examples("Example:\n  tulou try\n");
  }
  std::string error(std::vector<std::string> words) {
    try {
      arguments.parse(std::move(words));
    } catch (const base::Error& error) {
      return std::string(error.id()) + ": " + error.what() + " " + error.hint();
    }
    return "no error";
  }
  Arguments arguments;
  std::string model, out;
  std::optional<std::string> prompt, file;
  std::vector<std::string> stops;
  std::optional<int64_t> count;
  bool json = false;
  std::optional<bool> think;
};

TEST(Arguments, EachKindReachesItsTarget) {
  Typed typed;
  EXPECT_FALSE(typed.arguments
                   .parse({"m", "", "--stop", "a,b", "--json", "--stop", "[c]", "-n", "3",
                           "--no-think", "--file=x"})
                   .has_value());
  EXPECT_EQ(typed.model, "m");
  EXPECT_EQ(typed.prompt, "");
  EXPECT_EQ(typed.file, "x");
  EXPECT_EQ(typed.stops, (std::vector<std::string>{"a,b", "[c]"}));
  EXPECT_EQ(typed.count, 3);
  EXPECT_EQ(typed.think, false);
  EXPECT_TRUE(typed.json);
}

TEST(Arguments, WhatWasNotTypedStaysAbsent) {
  Typed typed;
  typed.arguments.parse({"m"});
  EXPECT_FALSE(typed.prompt || typed.file || typed.count || typed.think || typed.json);
  EXPECT_EQ(typed.out, "");
}

TEST(Arguments, HelpNamesAllOfThem) {
  const std::string help = Typed().arguments.parse({"--help"}).value_or("");
  for (const char* part : {"tulou try", "Tries arguments", "MODEL", "PROMPT", "--out FILE",
                           "-f,--file FILE", "-n,--count N", "--no-think", "Example:"})
    EXPECT_NE(help.find(part), std::string::npos) << part << " in\n" << help;
}

TEST(Arguments, MistakesAreNamed) {
  const auto starts = [](std::vector<std::string> words, std::string_view expected) {
    const std::string error = Typed().error(std::move(words));
    EXPECT_TRUE(error.starts_with(expected)) << error;
    return error;
  };
  starts({}, "cli.usage: ");
  starts({"m", "--out", "a", "--file", "b"}, "cli.usage: ");
  starts({"m", "p", "q"}, "cli.extra_argument: ");
  starts({"m", "-n", "10"}, "cli.bad_value: ");
  starts({"m", "-n", "3,0"}, "cli.bad_value: ");
  const std::string near = starts({"m", "--fiel", "x"}, "cli.unknown_option: ");
  EXPECT_NE(near.find("did you mean --file?"), std::string::npos) << near;
}

}  // namespace
}  // namespace tulou::cli
