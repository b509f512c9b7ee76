#include "serve/list_response.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/json_value.h"

namespace tulou::serve {
namespace {

using base::Json;

Json text_or_null(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

std::string base64_floats(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little, "floats are sent as they lie");
  std::vector<uint8_t> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return base64_text(bytes);
}

}  // namespace

std::string base64_text(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = static_cast<uint32_t>(bytes[i]) << 16;
    if (left > 1) group |= static_cast<uint32_t>(bytes[i + 1]) << 8;
    if (left > 2) group |= bytes[i + 2];
    for (size_t digit = 0; digit < 4; ++digit)
      text += digit <= left ? kDigits[group >> (18 - 6 * digit) & 63] : '=';
  }
  return text;
}

Json embedding_list(const std::string& model, std::span<const std::vector<float>> vectors,
                    bool base64, int64_t prompt_tokens) {
  Json data = Json::array();
  for (size_t i = 0; i < vectors.size(); ++i) {
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", base64 ? Json(base64_floats(vectors[i])) : Json(vectors[i])}});
  }
  return {{"object", "list"},
          {"data", std::move(data)},
          {"model", model},
          {"usage", {{"prompt_tokens", prompt_tokens}, {"total_tokens", prompt_tokens}}}};
}

Json rerank_list(const ResponseHead& head, std::vector<RerankResult> results,
                 std::optional<int64_t> top_n, std::span<const std::string> documents,
                 int64_t prompt_tokens) {
  std::sort(results.begin(), results.end(), [](const RerankResult& a, const RerankResult& b) {
    return a.score != b.score ? a.score > b.score : a.index < b.index;
  });
  if (top_n && std::cmp_less(*top_n, results.size())) results.resize(static_cast<size_t>(*top_n));
  Json list = Json::array();
  for (const RerankResult& result : results) {
    Json entry = {{"index", result.index}, {"relevance_score", result.score}};
    if (!documents.empty())
      entry["document"] = {{"text", documents[static_cast<size_t>(result.index)]}};
    list.push_back(std::move(entry));
  }
  return {{"id", head.id},
          {"model", head.model},
          {"results", std::move(list)},
          {"usage", {{"prompt_tokens", prompt_tokens}, {"total_tokens", prompt_tokens}}}};
}

Json model_object(const ServedModel& model) {
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "tulou"},
          {"max_model_len", model.loaded ? Json(model.max_model_len) : Json(nullptr)},
          {"meta",
           {{"n_vocab", model.vocab_size},
            {"n_ctx_train", model.trained_context},
            {"n_embd", model.embedding_size},
            {"n_params", model.num_parameters},
            {"size", model.size_bytes},
            {"loaded", model.loaded}}}};
}

Json model_list(std::span<const ServedModel> models) {
  Json data = Json::array();
  for (const ServedModel& model : models) data.push_back(model_object(model));
  return {{"object", "list"}, {"data", std::move(data)}};
}

Json tokenize_result(std::span<const int32_t> tokens, std::span<const std::string> pieces,
                     int64_t max_model_len) {
  Json strings = nullptr;
  if (!pieces.empty()) {
    strings = Json::array();
    for (const std::string& piece : pieces) strings.push_back(token_text(piece));
  }
  return {{"count", tokens.size()},
          {"max_model_len", max_model_len},
          {"tokens", std::vector<int32_t>(tokens.begin(), tokens.end())},
          {"token_strs", std::move(strings)}};
}

// vLLM's name and llama-server's.
Json detokenize_result(const std::string& text) { return {{"prompt", text}, {"content", text}}; }

Json tokenizer_info(const TokenizerInfo& info) {
  return {{"tokenizer_class", info.tokenizer_class},
          {"vocab_size", info.vocab_size},
          {"model_max_length", info.model_max_length},
          {"bos_token", text_or_null(info.bos_token)},
          {"eos_token", text_or_null(info.eos_token)},
          {"pad_token", text_or_null(info.pad_token)},
          {"unk_token", text_or_null(info.unk_token)},
          {"chat_template", text_or_null(info.chat_template)}};
}

Json version_object(const std::string& version) { return {{"version", version}}; }

}  // namespace tulou::serve
