#include "serve/generation_request.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "base/error.h"
#include "base/number.h"

namespace tulou::serve {
namespace {

using base::Json;
using Request = GenerationRequest;

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

void read_logit_bias(Request& to, const Json& value, const std::string& path) {
  read_object(value, path);
  if (value.size() > kMaxBiases)
    throw base::Error("request.too_many", path, value.size(), kMaxBiases);
  to.logit_bias.clear();
  for (const auto& [key, bias] : value.items()) {
    const auto id = base::parse_int(key);
    if (!id || *id < 0 || *id > kInt32Max)
      throw base::Error("request.bad_value", path, "an object whose keys are token ids");
    to.logit_bias.emplace_back(static_cast<int32_t>(*id),
                               read_number(bias, member_path(path, key), -100, 100));
  }
  std::sort(to.logit_bias.begin(), to.logit_bias.end());
  for (size_t i = 1; i < to.logit_bias.size(); ++i) {  // "1" and "01"
    if (to.logit_bias[i].first == to.logit_bias[i - 1].first)
      throw base::Error("request.bad_value", path, "free of token ids that stand twice");
  }
}

void read_stop(Request& to, const Json& value, const std::string& path) {
  to.stop = read_strings(value, path, kMaxStops, kMaxStopBytes);
}

void read_stream_options(Request& to, const Json& value, const std::string& path) {
  read_object(value, path);
  const Json* include = find_member(value, "include_usage");
  to.include_usage =
      include != nullptr && read_boolean(*include, member_path(path, "include_usage"));
}

void read_metadata(Request&, const Json& value, const std::string& path) {
  read_object(value, path);
}

Field<Request> guided(std::string_view name, std::string_view kind, std::string_view schema) {
  return other_field<Request>(name, schema, "An older name of structured_outputs.",
                              [kind](Request& to, const Json& value, const std::string& path) {
                                read_guided(kind, value, path, to.output_rule);
                              });
}

std::vector<Field<Request>> sampling_fields() {
  return {
      number_field("temperature", &Request::temperature, 0, 100,
                   "0 takes the most probable token. Absent: the model's own."),
      number_field("top_p", &Request::top_p, 0, 1, "Keep tokens up to this probability."),
      integer_field("top_k", &Request::top_k, -1, kInt32Max, "Keep so many tokens; 0 or -1: all."),
      number_field("min_p", &Request::min_p, 0, 1,
                   "Keep tokens of at least this share of the largest probability."),
      number_field("presence_penalty", &Request::presence_penalty, -2, 2,
                   "Taken from the logit of each token that the answer has."),
      number_field("frequency_penalty", &Request::frequency_penalty, -2, 2,
                   "The same, times how often the answer has it."),
      number_field("repetition_penalty", &Request::repetition_penalty, 0.01, 100,
                   "Divides the logits of tokens of prompt and answer; 1: none."),
      integer_field("seed", &Request::seed, kInt64Min, kInt64Max,
                    "The same seed gives the same answer."),
      other_field<Request>(
          "logit_bias",
          R"({"type": "object", "maxProperties": 1024, "propertyNames": {"pattern": "^[0-9]{1,9}$"},
              "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}})",
          "Token id to what is added to its logit.", read_logit_bias),
      other_field<Request>("bad_words",
                           R"({"type": "array", "maxItems": 256,
              "items": {"type": "string", "minLength": 1, "maxLength": 64}})",
                           "Texts that the answer must not have.",
                           [](Request& to, const Json& value, const std::string& path) {
                             read_array(value, path, kMaxBadWords);
                             to.bad_words =
                                 read_strings(value, path, kMaxBadWords, kMaxBadWordBytes);
                           }),
  };
}

std::vector<Field<Request>> length_fields() {
  return {
      integer_field("n", &Request::n, 1, kMaxChoices, "How many answers.", "1"),
      integer_field("best_of", &Request::best_of, 1, kMaxChoices,
                    "Compute so many answers and return the n most probable ones."),
      integer_field("min_tokens", &Request::min_tokens, 0, kInt32Max,
                    "No end before so many tokens.", "0"),
      boolean_field("ignore_eos", &Request::ignore_eos, "Go on after the end of the answer.",
                    "false"),
      other_field<Request>("stop",
                           R"({"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1024},
              {"type": "array", "maxItems": 64,
               "items": {"type": "string", "minLength": 1, "maxLength": 1024}}]})",
                           "Texts that end the answer; they are not part of it.", read_stop),
      other_field<Request>("stop_token_ids",
                           R"({"type": "array", "maxItems": 256,
              "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}})",
                           "Token ids that end the answer.",
                           [](Request& to, const Json& value, const std::string& path) {
                             to.stop_token_ids = read_token_ids(value, path, kMaxStopTokens);
                           }),
      integer_field("prompt_logprobs", &Request::prompt_logprobs, 0, kMaxLogprobs,
                    "Log-probabilities of the prompt's tokens, with so many alternatives."),
      boolean_field("return_token_ids", &Request::return_token_ids, "Show token ids.", "false"),
  };
}

std::vector<Field<Request>> service_fields() {
  return {
      string_field("model", &Request::model, 0, 1024,
                   "One of /v1/models; may be left out if there is only one."),
      boolean_field("stream", &Request::stream, "Send the answer as it is made.", "false"),
      other_field<Request>(
          "stream_options",
          R"({"type": "object", "properties": {"include_usage": {"type": "boolean"}}})",
          "include_usage: usage in a last chunk. Without stream it has no effect.",
          read_stream_options),
      integer_field("priority", &Request::priority, -kInt32Max - 1, kInt32Max,
                    "Smaller comes first.", "0"),
      string_field("cache_salt", &Request::cache_salt, 1, 1024,
                   "Requests with different ones share no cache."),
      string_field("user", &Request::user, 0, 1024, "Your name for who asks; not used."),
      other_field<Request>("metadata", R"({"type": "object"})", "Not used.", read_metadata),
  };
}

std::vector<Field<Request>> rule_fields() {
  return {
      other_field<Request>("response_format",
                           R"({"type": "object", "required": ["type"], "properties": {
              "type": {"enum": ["text", "json_object", "json_schema"]},
              "schema": {"type": "object"},
              "json_schema": {"type": "object", "required": ["schema"], "properties": {
                "name": {"type": "string"}, "schema": {"type": "object"},
                "strict": {"type": ["boolean", "null"]}}}}})",
                           "The form of the answer.",
                           [](Request& to, const Json& value, const std::string& path) {
                             read_response_format(value, path, to.output_rule);
                           }),
      other_field<Request>(
          "structured_outputs",
          R"({"type": "object", "minProperties": 1, "properties": {
              "choice": {"type": "array", "minItems": 1, "items": {"type": "string"}},
              "regex": {"type": "string"}, "json": {"type": ["object", "string", "boolean"]},
              "grammar": {"type": "string"}, "json_object": {"type": "boolean"}}})",
          "The form of the answer: exactly one of choice, regex, json (a schema), grammar (EBNF).",
          [](Request& to, const Json& value, const std::string& path) {
            read_structured_outputs(value, path, to.output_rule);
          }),
      guided("guided_choice", "choice", R"({"type": "array", "items": {"type": "string"}})"),
      guided("guided_regex", "regex", R"({"type": "string"})"),
      guided("guided_json", "json", R"({"type": ["object", "string", "boolean"]})"),
      guided("guided_grammar", "grammar", R"({"type": "string"})"),
  };
}

}  // namespace

std::vector<std::string> read_strings(const Json& value, std::string_view path, size_t max,
                                      int64_t max_bytes) {
  if (value.is_string()) return {read_string(value, path, 1, max_bytes)};
  read_array(value, path, max);
  std::vector<std::string> result;
  for (size_t i = 0; i < value.size(); ++i)
    result.push_back(read_string(value[i], item_path(path, i), 1, max_bytes));
  return result;
}

std::vector<int32_t> read_token_ids(const Json& value, std::string_view path, size_t max) {
  read_array(value, path, max);
  std::vector<int32_t> ids;
  ids.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    const Json& item = value[i];
    // The path is only written out where it is needed: lists may be long.
    const bool plain = item.is_number_integer() && !item.is_number_float();
    const int64_t id = plain && item.get<int64_t>() >= 0 && item.get<int64_t>() <= kInt32Max
                           ? item.get<int64_t>()
                           : read_integer(item, item_path(path, i), 0, kInt32Max);
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

const FieldTable<GenerationRequest>& generation_fields() {
  static const FieldTable<GenerationRequest> table([] {
    std::vector<Field<Request>> all = service_fields();
    for (auto* part : {sampling_fields, length_fields, rule_fields}) {
      for (Field<Request>& field : part()) all.push_back(std::move(field));
    }
    return all;
  }());
  return table;
}

void check_generation(const GenerationRequest& request) {
  if (request.best_of > 0 && request.best_of < request.n)
    throw base::Error("request.conflict", "best_of", "it is less than n");
  if (request.best_of > request.n && request.stream)
    throw base::Error("request.conflict", "best_of", "a stream cannot choose the best answers");
  if (request.max_tokens && request.min_tokens > *request.max_tokens)
    throw base::Error("request.conflict", "min_tokens", "it is more than max_tokens");
}

int64_t answer_tokens(const GenerationRequest& request, int64_t prompt_tokens, int64_t context) {
  const int64_t room = std::max<int64_t>(0, context - prompt_tokens);
  if (request.min_tokens > room)
    throw base::Error("request.out_of_range", "min_tokens", request.min_tokens, 0, room);
  return std::min(room, request.max_tokens.value_or(room));
}

void check_budget(const GenerationRequest& request, int64_t num_prompts, int64_t prompt_tokens,
                  int64_t context, const RequestBudget& budget) {
  using base::CheckedSize;
  const auto size = [](int64_t value) {
    return CheckedSize(static_cast<uint64_t>(std::max<int64_t>(0, value)));
  };
  const auto check = [](std::string_view field, std::string_view factors, CheckedSize product,
                        int64_t limit) {
    if (product.at_most(static_cast<uint64_t>(std::max<int64_t>(0, limit)))) return;
    throw base::Error("request.over_budget", field, factors, product.value().value_or(UINT64_MAX),
                      limit);
  };
  const int64_t tokens = std::min(context, request.max_tokens.value_or(context));
  const CheckedSize answers = size(num_prompts) * size(request.num_answers());
  const std::string_view count = request.best_of > 0 ? "best_of" : "n";
  check(count, "prompts and answers", answers, budget.max_answers);
  check("max_tokens", "answers and their tokens", answers * size(tokens), budget.max_answer_tokens);
  CheckedSize logprobs = 0;
  if (request.logprobs) logprobs = answers * size(tokens) * size(1 + request.top_logprobs);
  if (request.prompt_logprobs)
    logprobs = logprobs + size(prompt_tokens) * size(1 + *request.prompt_logprobs);
  check(request.logprobs ? "logprobs" : "prompt_logprobs", "log-probabilities of all tokens",
        logprobs, budget.max_logprobs);
}

}  // namespace tulou::serve
