#include "serve/completion_request.h"

#include <limits>

#include "base/error.h"

namespace tulou::serve {
namespace {

using base::Json;

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kDefaultMaxTokens = 16;
constexpr int64_t kMaxSuffixBytes = 16 << 20;

}  // namespace

const FieldTable<CompletionRequest>& completion_fields() {
  using Request = CompletionRequest;
  static const auto bound =
      integer_field("max_tokens", &GenerationRequest::max_tokens, 0, kInt32Max,
                    "The longest answer; at most what the context leaves. 0 with echo or "
                    "prompt_logprobs only.",
                    "16");
  static const FieldTable<Request> table({
      required(other_field<Request>("prompt", kInputsSchema, "What to continue.",
                                    [](Request& to, const Json& value, const std::string& path) {
                                      to.prompts = read_inputs(value, path);
                                    })),
      {bound.info, [](Request& to, const Json& value,
                      const std::string& path) { bound.read(to, value, path); }},
      {{.name = "logprobs",
        .type = FieldType::kInteger,
        .min = 0,
        .max = kMaxLogprobs,
        .summary = "Log-probabilities of the answer's tokens, with so many alternatives."},
       [](Request& to, const Json& value, const std::string& path) {
         to.top_logprobs = read_integer(value, path, 0, kMaxLogprobs);
         to.logprobs = true;
       }},
      boolean_field("echo", &Request::echo, "Put the prompt in front of the answer.", "false"),
      string_field("suffix", &Request::suffix, 0, kMaxSuffixBytes,
                   "What follows the answer, for models that can fill in."),
  });
  return table;
}

CompletionRequest parse_completion_request(std::string_view body) {
  const Json json = parse_body(body);
  CompletionRequest request;
  request.max_tokens = kDefaultMaxTokens;
  generation_fields().read(json, request);
  completion_fields().read(json, request);
  if (request.max_tokens == 0 && !request.echo && !request.prompt_logprobs)
    throw base::Error("request.out_of_range", "max_tokens", 0, 1, kInt32Max);
  if (request.echo && !request.suffix.empty())
    throw base::Error("request.conflict", "suffix", "it does not go with echo");
  check_generation(request);
  return request;
}

}  // namespace tulou::serve
