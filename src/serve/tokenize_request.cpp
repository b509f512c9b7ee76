#include "serve/tokenize_request.h"

#include "base/error.h"
#include "serve/chat_request.h"
#include "serve/generation_request.h"
#include "serve/messages.h"

namespace tulou::serve {
namespace {

using base::Json;

constexpr int64_t kMaxNameBytes = 1024;
constexpr int64_t kMaxTextBytes = 64 << 20;

Field<TokenizeRequest> model_field() {
  return string_field("model", &TokenizeRequest::model, 0, kMaxNameBytes,
                      "One of /v1/models; may be left out if there is only one.");
}

}  // namespace

const FieldTable<TokenizeRequest>& tokenize_fields() {
  using Request = TokenizeRequest;
  static const auto text =
      string_field("prompt", &Request::text, 0, kMaxTextBytes, "The text; or give messages.");
  static const auto special = boolean_field(
      "add_special_tokens", &Request::add_special_tokens,
      "What the tokenizer puts around a text; with messages the template has it.", "true");
  static const auto pieces = boolean_field("return_token_strs", &Request::return_token_strs,
                                           "Show each token's text.", "false");
  static const FieldTable<Request> table({
      model_field(),
      text,
      alias(text, "content"),
      other_field<Request>("messages",
                           R"({"type": "array", "minItems": 1, "maxItems": 8192,
              "items": {"$ref": "#/components/schemas/Message"}})",
                           "A conversation, through the chat template.",
                           [](Request& to, const Json& value, const std::string& path) {
                             to.messages = read_messages(value, path);
                           }),
      other_field<Request>(
          "tools",
          R"({"type": "array", "maxItems": 512, "items": {"$ref": "#/components/schemas/Tool"}})",
          "Functions for the chat template.",
          [](Request& to, const Json& value, const std::string& path) {
            to.tools = read_tools(value, path);
          }),
      other_field<Request>("chat_template_kwargs", R"({"type": "object"})",
                           "Variables for the chat template.",
                           [](Request& to, const Json& value, const std::string& path) {
                             to.template_kwargs = read_template_kwargs(value, path);
                           }),
      boolean_field("add_generation_prompt", &Request::add_generation_prompt,
                    "Begin the assistant's turn.", "true"),
      boolean_field("continue_final_message", &Request::continue_final_message,
                    "Leave the last message open.", "false"),
      special,
      alias(special, "add_special"),
      boolean_field("parse_special", &Request::parse_special,
                    "Recognise special tokens that are written in the text.", "true"),
      pieces,
      alias(pieces, "with_pieces"),
  });
  return table;
}

TokenizeRequest parse_tokenize_request(std::string_view body) {
  TokenizeRequest request;
  tokenize_fields().read(parse_body(body), request);
  if (!request.text && request.messages.is_null()) throw base::Error("request.missing", "prompt");
  if (request.text && !request.messages.is_null())
    throw base::Error("request.conflict", "messages", "it does not go with prompt");
  return request;
}

const FieldTable<DetokenizeRequest>& detokenize_fields() {
  using Request = DetokenizeRequest;
  static const FieldTable<Request> table({
      string_field("model", &Request::model, 0, kMaxNameBytes,
                   "One of /v1/models; may be left out if there is only one."),
      required(other_field<Request>("tokens",
                                    R"({"type": "array", "items": {"type": "integer", "minimum": 0,
              "maximum": 2147483647}})",
                                    "Token ids.",
                                    [](Request& to, const Json& value, const std::string& path) {
                                      to.tokens = read_token_ids(value, path, kMaxJsonValues);
                                    })),
  });
  return table;
}

DetokenizeRequest parse_detokenize_request(std::string_view body) {
  DetokenizeRequest request;
  detokenize_fields().read(parse_body(body), request);
  return request;
}

}  // namespace tulou::serve
