#include "serve/embedding_request.h"

#include "base/error.h"

namespace tulou::serve {
namespace {

using base::Json;

constexpr int64_t kMaxDimensions = 65536;
constexpr int64_t kMaxNameBytes = 1024;
constexpr int64_t kMaxInstructionBytes = 64 << 10;
constexpr int64_t kMaxTextBytes = 16 << 20;
constexpr size_t kMaxDocuments = 1024;

// A text, or {"text": ...} as other servers have it.
std::string read_document(const Json& value, const std::string& path) {
  if (!value.is_object()) return read_string(value, path, 0, kMaxTextBytes);
  return read_string(member(value, path, "text"), member_path(path, "text"), 0, kMaxTextBytes);
}

void read_documents(RerankRequest& to, const Json& value, const std::string& path) {
  read_array(value, path, kMaxDocuments);
  if (value.empty()) throw base::Error("request.empty", path);
  to.documents.clear();
  for (size_t i = 0; i < value.size(); ++i)
    to.documents.push_back(read_document(value[i], item_path(path, i)));
}

}  // namespace

const FieldTable<EmbeddingRequest>& embedding_fields() {
  using Request = EmbeddingRequest;
  static const FieldTable<Request> table({
      string_field("model", &Request::model, 0, kMaxNameBytes,
                   "One of /v1/models; may be left out if there is only one."),
      required(other_field<Request>("input", kInputsSchema, "What to embed.",
                                    [](Request& to, const Json& value, const std::string& path) {
                                      to.inputs = read_inputs(value, path);
                                    })),
      integer_field("dimensions", &Request::dimensions, 1, kMaxDimensions,
                    "Keep the first so many, normalised again."),
      other_field<Request>("encoding_format", R"({"enum": ["float", "base64"]})",
                           "base64: little-endian 32-bit floats.",
                           [](Request& to, const Json& value, const std::string& path) {
                             to.base64 = read_word(value, path, {"float", "base64"}) == 1;
                           }),
      string_field("instruction", &Request::instruction, 0, kMaxInstructionBytes,
                   "The task, put in front as the model's card says; for queries."),
      string_field("user", &Request::user, 0, kMaxNameBytes, "Your name for who asks; not used."),
  });
  return table;
}

EmbeddingRequest parse_embedding_request(std::string_view body) {
  EmbeddingRequest request;
  embedding_fields().read(parse_body(body), request);
  return request;
}

const FieldTable<RerankRequest>& rerank_fields() {
  using Request = RerankRequest;
  static const FieldTable<Request> table({
      string_field("model", &Request::model, 0, kMaxNameBytes,
                   "One of /v1/models; may be left out if there is only one."),
      required(string_field("query", &Request::query, 1, kMaxTextBytes,
                            "What the documents are to answer.")),
      required(other_field<Request>(
          "documents",
          R"({"type": "array", "minItems": 1, "maxItems": 1024, "items": {"anyOf": [
              {"type": "string"}, {"type": "object", "required": ["text"],
               "properties": {"text": {"type": "string"}}}]}})",
          "What to put into order.", read_documents)),
      integer_field("top_n", &Request::top_n, 1, static_cast<int64_t>(kMaxDocuments),
                    "Return the best so many."),
      boolean_field("return_documents", &Request::return_documents, "Show the documents' texts.",
                    "true"),
      string_field("instruction", &Request::instruction, 0, kMaxInstructionBytes,
                   "The task, in place of the model card's."),
      string_field("user", &Request::user, 0, kMaxNameBytes, "Your name for who asks; not used."),
  });
  return table;
}

RerankRequest parse_rerank_request(std::string_view body) {
  RerankRequest request;
  rerank_fields().read(parse_body(body), request);
  return request;
}

}  // namespace tulou::serve
