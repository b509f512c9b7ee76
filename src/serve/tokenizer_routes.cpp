// POST /tokenize and /detokenize, GET /tokenizer_info.
#include "base/error.h"
#include "base/json_value.h"
#include "completion/messages.h"
#include "completion/prompt.h"
#include "serve/list_response.h"
#include "serve/routes.h"
#include "serve/tokenize_request.h"

namespace tulou::serve {
namespace {

std::vector<int32_t> ids_of(const LoadedModel& model, const TokenizeRequest& request) {
  const text::Tokenizer& tokenizer = model.text.tokenizer();
  if (request.text) {
    using Special = text::Tokenizer::Special;
    auto ids =
        tokenizer.encode(*request.text, request.parse_special ? Special::kParse : Special::kText);
    return request.add_special_tokens ? tokenizer.with_ends(std::move(ids)) : ids;
  }
  if (!model.chat_template)
    throw base::Error("serve.model_lacks", model.names.front(), "chat template");
  base::Json variables = request.template_kwargs;
  variables["messages"] = completion::template_messages(request.messages);
  variables["add_generation_prompt"] =
      request.add_generation_prompt && !request.continue_final_message;
  for (const Tool& tool : request.tools)
    variables["tools"].push_back(base::parse_json(tool.text, "tools"));
  return completion::chat_prompt(model.text, *model.chat_template, variables).ids;
}

}  // namespace

void tokenize(Service& service, const Exchange& exchange) {
  const TokenizeRequest request = parse_tokenize_request(exchange->request().body);
  const auto model = service.model(request.model);
  const std::vector<int32_t> ids = ids_of(*model, request);
  std::vector<std::string> pieces;
  if (request.return_token_strs) {
    for (const int32_t id : ids) pieces.emplace_back(model->text.tokenizer().token_bytes(id));
  }
  reply_json(exchange, 200, tokenize_result(ids, pieces, model->engine->options().context));
}

void detokenize(Service& service, const Exchange& exchange) {
  const DetokenizeRequest request = parse_detokenize_request(exchange->request().body);
  const auto model = service.model(request.model);
  const std::string text = model->text.tokenizer().decode(request.tokens, text::ShowSpecial::kShow);
  reply_json(exchange, 200, detokenize_result(text));
}

void tokenizer_info(Service& service, const Exchange& exchange) {
  const auto model = service.model("");
  const text::Tokenizer& tokenizer = model->text.tokenizer();
  const auto text_of = [&](std::optional<int32_t> id) {
    return id ? std::optional(std::string(tokenizer.token_bytes(*id))) : std::nullopt;
  };
  TokenizerInfo info;
  info.tokenizer_class = "Qwen2Tokenizer";
  info.vocab_size = tokenizer.num_tokens();
  info.model_max_length = model->engine->options().context;
  info.bos_token = text_of(tokenizer.bos());
  info.eos_token = text_of(tokenizer.eos());
  info.pad_token = text_of(tokenizer.pad());
  if (model->text.has_chat_template()) info.chat_template = model->text.chat_template_source();
  reply_json(exchange, 200, tokenizer_info(info));
}

}  // namespace tulou::serve
