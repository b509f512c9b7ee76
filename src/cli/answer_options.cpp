// The table of answer parameters; see answer_options.h.
#include "cli/answer_options.h"

#include <algorithm>
#include <array>
#include <random>

#include "base/error.h"
#include "base/nearest.h"
#include "base/number.h"
#include "cli/option_value.h"

namespace tulou::cli {

namespace {

constexpr int64_t kMaxCount = int64_t{1} << 30;

struct Parameter {
  const char* name;   // of the flag without dashes, and of /set
  const char* flags;  // short and long
  const char* value;
  const char* description;
  void (*apply)(AnswerSettings& settings, const std::string& what, const std::string& text);
  // The value as text; empty if it is not set.
  std::string (*shown)(const AnswerSettings& settings);
};

template <auto kMember>
void apply_number(AnswerSettings& settings, const std::string& what, const std::string& text) {
  settings.*kMember = number_value(what, text);
}

template <auto kMember>
void apply_count(AnswerSettings& settings, const std::string& what, const std::string& text) {
  settings.*kMember = integer_value(what, text, 0, kMaxCount);
}

void apply_max_tokens(AnswerSettings& settings, const std::string& what, const std::string& text) {
  settings.max_tokens = integer_value(what, text, 1, kMaxCount);
}

void apply_seed(AnswerSettings& settings, const std::string& what, const std::string& text) {
  settings.seed = unsigned_value(what, text);
}

template <auto kMember>
std::string show(const AnswerSettings& settings) {
  const auto& value = settings.*kMember;
  return value ? base::to_text(*value) : "";
}

using S = AnswerSettings;
constexpr std::array<Parameter, 9> kParameters = {{
    {"max-tokens", "-n,--max-tokens", "N", "Most tokens of an answer (until the context is full)",
     apply_max_tokens, show<&S::max_tokens>},
    {"temperature", "--temperature", "X", "0 takes the most probable token",
     apply_number<&S::temperature>, show<&S::temperature>},
    {"top-k", "--top-k", "N", "Only the N most probable tokens; 0 is off", apply_count<&S::top_k>,
     show<&S::top_k>},
    {"top-p", "--top-p", "X", "Only the most probable tokens that together reach X",
     apply_number<&S::top_p>, show<&S::top_p>},
    {"min-p", "--min-p", "X", "Only tokens at least X times as probable as the first",
     apply_number<&S::min_p>, show<&S::min_p>},
    {"repetition-penalty", "--repetition-penalty", "X",
     "Divides the logits of tokens that were there; 1 is off", apply_number<&S::repetition_penalty>,
     show<&S::repetition_penalty>},
    {"presence-penalty", "--presence-penalty", "X",
     "Subtracted once for tokens that the answer has; 0 is off", apply_number<&S::presence_penalty>,
     show<&S::presence_penalty>},
    {"frequency-penalty", "--frequency-penalty", "X",
     "Subtracted for each time the answer has the token; 0 is off",
     apply_number<&S::frequency_penalty>, show<&S::frequency_penalty>},
    {"seed", "--seed", "N", "The same seed gives the same answer", apply_seed, show<&S::seed>},
}};

// "on" and "off" for /set think.
bool switch_value(const std::string& what, const std::string& text) {
  if (text != "on" && text != "off")
    throw base::Error("cli.bad_value", what, base::printable(text), "on or off");
  return text == "on";
}

}  // namespace

uint64_t random_seed() {
  std::random_device device;
  // 53 bits: every JSON reader keeps such a number exactly.
  return ((uint64_t{device()} << 32) | device()) & ((uint64_t{1} << 53) - 1);
}

engine::SamplingParams AnswerSettings::sampling(engine::SamplingParams defaults) const {
  engine::SamplingParams params = defaults;
  params.temperature = temperature.value_or(defaults.temperature);
  params.top_k = top_k.value_or(defaults.top_k);
  params.top_p = top_p.value_or(defaults.top_p);
  params.min_p = min_p.value_or(defaults.min_p);
  params.repetition_penalty = repetition_penalty.value_or(defaults.repetition_penalty);
  params.presence_penalty = presence_penalty.value_or(defaults.presence_penalty);
  params.frequency_penalty = frequency_penalty.value_or(defaults.frequency_penalty);
  params.seed = seed ? *seed : random_seed();
  params.validate();
  return params;
}

std::vector<std::string> AnswerSettings::shown() const {
  std::vector<std::string> lines;
  for (const Parameter& parameter : kParameters) {
    const std::string value = parameter.shown(*this);
    if (!value.empty()) lines.push_back(std::string(parameter.name) + " " + value);
  }
  for (const std::string& stop : stops) lines.push_back("stop " + base::printable(stop));
  if (think) lines.push_back(*think ? "think on" : "think off");
  if (hide_think) lines.push_back("hide-think on");
  return lines;
}

void declare_answer_options(Arguments& arguments, AnswerSettings& settings, std::string& system) {
  arguments.text("--system", "TEXT", system, "The system message");
  for (const Parameter& parameter : kParameters) {
    arguments.value(parameter.flags, parameter.value, parameter.description,
                    [&settings, &parameter](const std::string& text) {
                      parameter.apply(settings, std::string("--") + parameter.name, text);
                    });
  }
  arguments.texts("--stop", settings.stops, "Ends the answer where this text comes; repeatable");
  arguments.negative_flag("--no-think", settings.think, "Answer without thinking first");
  arguments.flag("--hide-think", settings.hide_think, "Do not show the thinking");
}

void set_parameter(AnswerSettings& settings, const std::string& name, const std::string& value) {
  const std::string what = "/set " + name;
  if (name == "stop") {
    settings.stops.clear();
    if (!value.empty()) settings.stops.push_back(value);
    return;
  }
  if (name == "think") {
    settings.think = switch_value(what, value);
    return;
  }
  if (name == "hide-think") {
    settings.hide_think = switch_value(what, value);
    return;
  }
  std::vector<std::string> names = {"stop", "think", "hide-think"};
  for (const Parameter& parameter : kParameters) {
    if (name == parameter.name) return parameter.apply(settings, what, value);
    names.emplace_back(parameter.name);
  }
  const std::string near = base::nearest(name, names);
  std::string all;
  for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
  throw base::Error("cli.unknown_parameter", base::printable(name),
                    near.empty() ? "there are: " + all : "did you mean " + near + "?");
}

}  // namespace tulou::cli
