// What an answer should be like: the options that run and chat share, which /set changes too. One
// table makes the flags and the names of /set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "engine/sampling.h"

namespace tulou::cli {

// Absent: the model's own default.
struct AnswerSettings {
  std::optional<int64_t> max_tokens;
  std::optional<double> temperature, top_p, min_p;
  std::optional<double> repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k;
  std::optional<uint64_t> seed;
  std::vector<std::string> stops;
  std::optional<bool> think;  // false: --no-think
  bool hide_think = false;

  // The model's defaults with what was set; the seed is drawn if none was. Error
  // sampling.out_of_range.
  engine::SamplingParams sampling(engine::SamplingParams defaults) const;
  // The values that are set, one "name value" each, for /set without arguments.
  std::vector<std::string> shown() const;
};

// Adds --system, --max-tokens, the sampling options, --stop, --no-think and --hide-think.
void declare_answer_options(Arguments& arguments, AnswerSettings& settings, std::string& system);

// Sets a parameter by the name of its flag without dashes. Error cli.bad_value; `what` names the
// origin. An unknown name is Error cli.unknown_parameter with the nearest one.
void set_parameter(AnswerSettings& settings, const std::string& name, const std::string& value);

// A seed that nobody chose.
uint64_t random_seed();

}  // namespace tulou::cli
