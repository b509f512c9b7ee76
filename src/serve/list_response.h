// The responses of the smaller routes: embeddings, rerank, models, tokenize, version.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer.h"

namespace tulou::serve {

// `vectors` [inputs][dimensions], in the order of the inputs; base64 is of little-endian floats.
base::Json embedding_list(const std::string& model, std::span<const std::vector<float>> vectors,
                          bool base64, int64_t prompt_tokens);
std::string base64_text(std::span<const uint8_t> bytes);

struct RerankResult {
  int64_t index = 0;  // of the document in the request
  double score = 0;   // 0 to 1
};
// `results` in any order: the best come first, of equals the first document. `documents` are shown
// if they are not empty.
base::Json rerank_list(const ResponseHead& head, std::vector<RerankResult> results,
                       std::optional<int64_t> top_n, std::span<const std::string> documents,
                       int64_t prompt_tokens);

struct ServedModel {
  std::string id;
  int64_t created = 0;
  int64_t max_model_len = 0;    // tokens, as served; known when it is loaded
  int64_t trained_context = 0;  // tokens
  int64_t vocab_size = 0, num_parameters = 0, size_bytes = 0, embedding_size = 0;
  bool loaded = false;
};
base::Json model_object(const ServedModel& model);
base::Json model_list(std::span<const ServedModel> models);

// `pieces` (each token's bytes) are shown if they are not empty.
base::Json tokenize_result(std::span<const int32_t> tokens, std::span<const std::string> pieces,
                           int64_t max_model_len);
base::Json detokenize_result(const std::string& text);

struct TokenizerInfo {
  std::string tokenizer_class;
  int64_t vocab_size = 0, model_max_length = 0;
  std::optional<std::string> bos_token, eos_token, pad_token, unk_token;
  std::optional<std::string> chat_template;
};
base::Json tokenizer_info(const TokenizerInfo& info);

base::Json version_object(const std::string& version);

}  // namespace tulou::serve
