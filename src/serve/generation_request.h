// What chat and plain completions have in common: sampling, bounds, stops, log-probabilities,
// streaming. Plain values, checked; nothing here knows the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serve/field.h"
#include "serve/output_rule.h"

namespace tulou::serve {

// Bounds of lists in a request.
inline constexpr int64_t kMaxChoices = 128;
inline constexpr int64_t kMaxLogprobs = 20;  // alternatives for each token
inline constexpr size_t kMaxStops = 64;
inline constexpr int64_t kMaxStopBytes = 4096;
inline constexpr size_t kMaxStopTokens = 256;
inline constexpr size_t kMaxBiases = 1024;
inline constexpr size_t kMaxBadWords = 256;
inline constexpr int64_t kMaxBadWordBytes = 256;

// Absent values are the server's or the model's own default.
struct GenerationRequest {
  std::string model;  // empty: the only one that is served

  int64_t n = 1;
  int64_t best_of = 0;  // 0: n; otherwise at least n, and the n most probable answers are returned

  std::optional<double> temperature, top_p, min_p;
  std::optional<int64_t> top_k;  // 0: off (-1 is read as 0)
  std::optional<double> presence_penalty, frequency_penalty, repetition_penalty;
  std::optional<int64_t> seed;
  std::vector<std::pair<int32_t, float>> logit_bias;  // token id, -100 to 100; ids rise

  std::optional<int64_t> max_tokens;  // as asked, max_completion_tokens before max_tokens
  int64_t min_tokens = 0;
  bool ignore_eos = false;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  std::vector<std::string> bad_words;

  bool logprobs = false;                   // of the answer's tokens
  int64_t top_logprobs = 0;                // alternatives besides, for each token
  std::optional<int64_t> prompt_logprobs;  // alternatives for each prompt token; present: wanted
  bool return_token_ids = false;

  bool stream = false;
  bool include_usage = false;  // stream_options
  OutputRule output_rule;

  int64_t priority = 0;    // smaller comes first
  std::string cache_salt;  // requests with different ones share no cache
  std::string user;

  // How many answers are computed: best_of or n.
  int64_t num_answers() const { return best_of > 0 ? best_of : n; }
};

// What one request may ask for; a key may have less.
struct RequestBudget {
  int64_t max_answers = kMaxChoices;    // answers, over all prompts
  int64_t max_answer_tokens = 1 << 22;  // answers x max_tokens (clamped to the context)
  int64_t max_logprobs = 1 << 22;       // the same x (1 + alternatives), prompt tokens as well
};

// What the request would cost at most. `num_prompts` and `prompt_tokens` (of all of them) come from
// the caller. Error request.over_budget, naming the factors.
void check_budget(const GenerationRequest& request, int64_t num_prompts, int64_t prompt_tokens,
                  int64_t context, const RequestBudget& budget);

// The answer's bound: what was asked for, at most what is left of the context. Error
// request.out_of_range if min_tokens do not fit.
int64_t answer_tokens(const GenerationRequest& request, int64_t prompt_tokens, int64_t context);

// What the fields can be read into before the ones that hang together are compared.
const FieldTable<GenerationRequest>& generation_fields();

// Rules between fields: best_of >= n, min_tokens <= max_tokens. Error request.conflict.
void check_generation(const GenerationRequest& request);

// "stop" as both forms that are allowed; "bad_words" and lists of ids. `path` names the field.
std::vector<std::string> read_strings(const base::Json& value, std::string_view path, size_t max,
                                      int64_t max_bytes);
std::vector<int32_t> read_token_ids(const base::Json& value, std::string_view path, size_t max);

}  // namespace tulou::serve
