// Bodies of requests: any text is read or refused with an error that names a field; what is read
// keeps its bounds, and every error has a form for the client.
#include "serve/chat_request.h"
#include "base/assert.h"
#include "guarded_input.h"
#include "serve/api_error.h"
#include "serve/completion_request.h"
#include "serve/embedding_request.h"
#include "serve/tokenize_request.h"

namespace {

using namespace tulou;

// Runs a parser; an Error is the client's fault and says so.
template <typename Parse>
void expect_answerable(Parse&& parse) {
  try {
    parse();
  } catch (const base::Error& error) {
    const serve::ApiError answer = serve::api_error(error);
    ASSERT(answer.status >= 400 && answer.status < 500);
    ASSERT(!answer.message.empty() && answer.message.size() < 100'000);
  }
}

void check(const serve::GenerationRequest& request) {
  ASSERT(request.n >= 1 && request.n <= serve::kMaxChoices);
  ASSERT(request.num_answers() >= request.n && request.num_answers() <= serve::kMaxChoices);
  ASSERT(request.stop.size() <= serve::kMaxStops);
  ASSERT(request.logit_bias.size() <= serve::kMaxBiases);
  ASSERT(!request.max_tokens || (*request.max_tokens >= 0 && *request.max_tokens <= INT32_MAX));
  ASSERT(!request.temperature || (*request.temperature >= 0 && *request.temperature <= 100));
  serve::check_budget(request, 1, 100, 4096, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Input input(data, size);
  expect_answerable([&] {
    const auto request = serve::parse_chat_request(input.text());
    ASSERT(!request.messages.empty());
    ASSERT(serve::template_variables(request).contains("messages"));
    check(request);
  });
  expect_answerable([&] {
    const auto request = serve::parse_completion_request(input.text());
    ASSERT(!request.prompts.empty());
    check(request);
  });
  expect_answerable([&] { serve::parse_embedding_request(input.text()); });
  expect_answerable([&] { serve::parse_rerank_request(input.text()); });
  expect_answerable([&] { serve::parse_tokenize_request(input.text()); });
  expect_answerable([&] { serve::parse_detokenize_request(input.text()); });
  return 0;
}
