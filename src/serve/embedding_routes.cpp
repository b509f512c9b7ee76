// POST /v1/embeddings and /v1/rerank.
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "serve/embedding_request.h"
#include "serve/response_head.h"
#include "serve/routes.h"
#include "serve/value_job.h"

namespace tulou::serve {
namespace {

// Qwen3-Reranker's model card.
constexpr const char* kRerankSystem =
    "Judge whether the Document meets the requirements based on the Query and the Instruct "
    "provided. Note that the answer can only be \"yes\" or \"no\".";
constexpr const char* kRerankInstruction =
    "Given a web search query, retrieve relevant passages that answer the query";

void check_length(const LoadedModel& model, const std::vector<int32_t>& ids) {
  const int64_t context = model.engine->options().context;
  const auto size = static_cast<int64_t>(ids.size());
  if (size > context) throw base::Error("serve.context_length", size, context);
}

engine::Request value_request(const Caller& caller, std::vector<int32_t> ids, engine::Yield yield) {
  engine::Request request;
  request.prompt = std::move(ids);
  request.yield = yield;
  request.tenant = caller.tenant;
  request.cache_scope = caller.tenant;
  request.priority = caller.priority;
  return request;
}

// The first `dimensions` values, scaled to length 1; zeros stay zeros.
std::vector<float> normalised(const std::vector<float>& hidden, size_t dimensions) {
  std::vector<float> result(hidden.begin(),
                            hidden.begin() + static_cast<std::ptrdiff_t>(dimensions));
  double sum = 0;
  for (const float value : result) sum += double{value} * double{value};
  const double scale = sum > 0 ? 1 / std::sqrt(sum) : 0;
  for (float& value : result) value = static_cast<float>(double{value} * scale);
  return result;
}

std::vector<int32_t> embedding_ids(const LoadedModel& model, const EmbeddingRequest& request,
                                   const TextOrIds& input) {
  if (input.is_ids) return input.ids;
  const std::string text = request.instruction.empty()
                               ? input.text
                               : "Instruct: " + request.instruction + "\nQuery:" + input.text;
  const text::Tokenizer& tokenizer = model.text.tokenizer();
  return tokenizer.with_ends(tokenizer.encode(text, text::Tokenizer::Special::kText));
}

// The prompt of one pair; the texts of query and document stay text.
std::vector<int32_t> rerank_ids(const LoadedModel& model, const RerankRequest& request,
                                const std::string& document) {
  const std::string instruction =
      request.instruction.empty() ? kRerankInstruction : request.instruction;
  const auto fixed = [](std::string text) { return text::Segment{std::move(text), false}; };
  const auto data = [](std::string text) { return text::Segment{std::move(text), true}; };
  const std::vector<text::Segment> segments = {
      fixed(std::string("<|im_start|>system\n") + kRerankSystem +
            "<|im_end|>\n<|im_start|>user\n<Instruct>: "),
      data(instruction),
      fixed("\n<Query>: "),
      data(request.query),
      fixed("\n<Document>: "),
      data(document),
      fixed("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")};
  return model.text.tokenizer().encode(segments);
}

int32_t needed_token(const LoadedModel& model, const char* text) {
  const auto id = model.text.tokenizer().find(text);
  if (!id)
    throw base::Error("serve.model_lacks", model.names.front(),
                      std::string("token \"") + text + "\", which reranking needs");
  return *id;
}

}  // namespace

void embeddings(Service& service, const Exchange& exchange) {
  const EmbeddingRequest request = parse_embedding_request(exchange->request().body);
  const auto model = service.model(request.model);
  const int64_t width = model->config().hidden_size;
  const int64_t dimensions = request.dimensions.value_or(width);
  if (dimensions > width)
    throw base::Error("request.out_of_range", "dimensions", dimensions, 1, width);
  const Caller caller = service.caller(exchange->request());
  std::vector<engine::Request> requests;
  for (const TextOrIds& input : request.inputs) {
    std::vector<int32_t> ids = embedding_ids(*model, request, input);
    if (ids.empty()) throw base::Error("request.empty", "input");
    check_length(*model, ids);
    requests.push_back(value_request(caller, std::move(ids), engine::Yield::kHidden));
  }
  const std::string name = request.model.empty() ? model->names.front() : request.model;
  const bool base64 = request.base64;
  run_value_job(service, model, std::move(requests), exchange, [=](ValueResult result) {
    for (std::vector<float>& values : result.values)
      values = normalised(values, static_cast<size_t>(dimensions));
    reply_json(exchange, 200, embedding_list(name, result.values, base64, result.prompt_tokens));
  });
}

void rerank(Service& service, const Exchange& exchange) {
  const RerankRequest request = parse_rerank_request(exchange->request().body);
  const auto model = service.model(request.model);
  const std::vector<int32_t> labels = {needed_token(*model, "yes"), needed_token(*model, "no")};
  const Caller caller = service.caller(exchange->request());
  std::vector<engine::Request> requests;
  for (const std::string& document : request.documents) {
    std::vector<int32_t> ids = rerank_ids(*model, request, document);
    check_length(*model, ids);
    requests.push_back(value_request(caller, std::move(ids), engine::Yield::kScores));
    requests.back().score_tokens = labels;
  }
  const ResponseHead head = response_head("rerank-", *model, request.model);
  run_value_job(service, model, std::move(requests), exchange, [=](const ValueResult& result) {
    std::vector<RerankResult> results;
    for (size_t i = 0; i < result.values.size(); ++i) {
      const double yes = std::exp(double{result.values[i][0]});
      const double no = std::exp(double{result.values[i][1]});
      results.push_back({static_cast<int64_t>(i), yes / (yes + no)});
    }
    const auto& documents =
        request.return_documents ? request.documents : std::vector<std::string>();
    reply_json(
        exchange, 200,
        rerank_list(head, std::move(results), request.top_n, documents, result.prompt_tokens));
  });
}

}  // namespace tulou::serve
