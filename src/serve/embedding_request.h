// POST /v1/embeddings and /v1/rerank: the bodies as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/field.h"
#include "serve/text_or_ids.h"

namespace tulou::serve {

struct EmbeddingRequest {
  std::string model;
  std::vector<TextOrIds> inputs;
  std::optional<int64_t> dimensions;  // the first so many, normalised again
  bool base64 = false;
  std::string instruction;  // put in front as the model's card says; empty: none
  std::string user;
};

// Error json.*, request.*.
EmbeddingRequest parse_embedding_request(std::string_view body);
const FieldTable<EmbeddingRequest>& embedding_fields();

struct RerankRequest {
  std::string model;
  std::string query;
  std::vector<std::string> documents;
  std::optional<int64_t> top_n;  // how many to return, best first
  bool return_documents = true;
  std::string instruction;  // empty: the model card's
  std::string user;
};

// Error json.*, request.*.
RerankRequest parse_rerank_request(std::string_view body);
const FieldTable<RerankRequest>& rerank_fields();

}  // namespace tulou::serve
