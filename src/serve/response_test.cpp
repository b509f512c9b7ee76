// Responses, whole and streamed: answer.h, chat_response.h, completion_response.h, list_response.h,
// sse.h.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/json_value.h"
#include "serve/answer.h"
#include "serve/chat_response.h"
#include "serve/completion_response.h"
#include "serve/list_response.h"
#include "serve/sse.h"

namespace tulou::serve {
namespace {

using base::Json;

Json json(const std::string& text) { return base::parse_json(text, "test"); }

ResponseHead head() { return {"chatcmpl-1", 17, "m", "fp"}; }

Usage usage() { return {10, 5, 2, 4, "too new"}; }

// The payloads of a stream; fails if the text is anything but data frames and comments.
std::vector<std::string> frames(const std::string& text) {
  std::vector<std::string> result;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find("\n\n", at);
    if (end == std::string::npos) {
      ADD_FAILURE() << "a frame without an end";
      return result;
    }
    const std::string line = text.substr(at, end - at);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_TRUE(line.starts_with("data: "));
    result.push_back(line.substr(6));
    at = end + 2;
  }
  return result;
}

TokenLogprobs logprobs(const std::string& bytes, double value) {
  return {{1, bytes, value}, {{2, "other", -0.5}}};
}

TEST(ResponseId, IsRandom) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.insert(response_id("chatcmpl-"));
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(ids.begin()->size(), 9u + 32u);
}

TEST(Sse, Frames) {
  EXPECT_EQ(sse_data(json(R"({"a": "x\ny"})")), "data: {\"a\":\"x\\ny\"}\n\n");
  EXPECT_EQ(sse_done(), "data: [DONE]\n\n");
  EXPECT_EQ(sse_ping(), ": ping\n\n");
  EXPECT_EQ(sse_data(Json("\xff")), "data: \"\xef\xbf\xbd\"\n\n");
}

TEST(Answer, TextsOfTokens) {
  EXPECT_EQ(token_text("ab"), "ab");
  EXPECT_EQ(token_text("\xe2\x82"), "bytes:\\xe2\\x82");
  EXPECT_EQ(shown_logprob(-std::numeric_limits<double>::infinity()), -9999);
  EXPECT_EQ(shown_logprob(NAN), -9999);
  EXPECT_EQ(shown_logprob(1e-17), 0);
  EXPECT_EQ(shown_logprob(-1.5), -1.5);
}

TEST(ChatResponse, Whole) {
  Answer answer;
  answer.all.content = "Hi";
  answer.all.reasoning = "Hm";
  answer.all.logprobs = {logprobs("\xc3", -std::numeric_limits<double>::infinity())};
  answer.all.token_ids = {1};
  const PromptLogprobs prompt = {std::nullopt, logprobs("a", -1)};
  const Json result = chat_completion({head(), {answer}, usage(), true, true, {8, 9}, &prompt});
  EXPECT_EQ(result, json(R"({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 17, "model": "m",
    "choices": [{"index": 0,
      "message": {"role": "assistant", "content": "Hi", "refusal": null,
                  "reasoning_content": "Hm", "reasoning": "Hm"},
      "logprobs": {"content": [{"token": "bytes:\\xc3", "logprob": -9999.0, "bytes": [195],
        "top_logprobs": [{"token": "other", "logprob": -0.5,
                          "bytes": [111, 116, 104, 101, 114]}]}], "refusal": null},
      "finish_reason": "stop", "stop_reason": null, "token_ids": [1]}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
      "prompt_tokens_details": {"cached_tokens": 4, "cache_miss_reason": "too new"},
      "completion_tokens_details": {"reasoning_tokens": 2}},
    "system_fingerprint": "fp", "prompt_token_ids": [8, 9],
    "prompt_logprobs": [null, {"1": {"logprob": -1.0, "rank": null, "decoded_token": "a"},
                               "2": {"logprob": -0.5, "rank": 1, "decoded_token": "other"}}]})"));
}

TEST(ChatResponse, WithCalls) {
  Answer answer;
  answer.end = AnswerEnd::kToolCalls;
  answer.all.tool_calls = {{0, "call-1", "f", "{}"}};
  const Json choice =
      chat_completion({head(), {answer}, usage(), false, false, {}, nullptr})["choices"][0];
  EXPECT_EQ(choice["message"], json(R"({"role": "assistant", "content": null, "refusal": null,
      "tool_calls": [{"id": "call-1", "type": "function",
                      "function": {"name": "f", "arguments": "{}"}}]})"));
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["logprobs"].is_null());
}

TEST(ChatStream, InTheOrderOfTheApi) {
  ChatStream stream(head(), {.include_usage = true});
  std::string text = stream.begin(1);
  text += stream.event({.reasoning = "Hm"});
  text += stream.event({.content = "Hi"});
  text += stream.event({.tool_calls = {{0, "call-1", "f", ""}}});
  text += stream.event({.tool_calls = {{0, "", "", "{}"}}});
  text += stream.event({});
  text += stream.finish(0, AnswerEnd::kToolCalls);
  text += stream.end(usage());
  const auto all = frames(text);
  ASSERT_EQ(all.size(), 8u);
  const std::vector<std::string> deltas = {
      R"({"role": "assistant", "content": ""})",
      R"({"reasoning_content": "Hm", "reasoning": "Hm"})",
      R"({"content": "Hi"})",
      R"({"tool_calls": [{"index": 0, "id": "call-1", "type": "function",
          "function": {"name": "f", "arguments": ""}}]})",
      R"({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})",
      "{}"};
  for (size_t i = 0; i < deltas.size(); ++i) {
    const Json chunk = json(all[i]);
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_EQ(chunk["id"], "chatcmpl-1");
    EXPECT_TRUE(chunk["usage"].is_null());
    EXPECT_EQ(chunk["choices"][0]["delta"], json(deltas[i]));
    const Json& reason = chunk["choices"][0]["finish_reason"];
    EXPECT_EQ(reason, i == 5 ? Json("tool_calls") : Json(nullptr));
  }
  EXPECT_EQ(json(all[6])["choices"], Json::array());
  EXPECT_EQ(json(all[6])["usage"]["total_tokens"], 15);
  EXPECT_EQ(all[7], "[DONE]");
}

TEST(ChatStream, WithoutUsageAndWithSeveralChoices) {
  ChatStream stream(head(), {.logprobs = true, .token_ids = true});
  std::string text =
      stream.event({.index = 1, .content = "a", .logprobs = {logprobs("a", -1)}, .token_ids = {3}});
  text += stream.event({.index = 1, .logprobs = {logprobs("b", -1)}});
  text += stream.finish(1, AnswerEnd::kLength) + stream.finish(0, AnswerEnd::kStop);
  text += stream.end(usage());
  const auto all = frames(text);
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(json(all[0])["choices"][0]["delta"]["role"], "assistant");
  EXPECT_FALSE(json(all[0]).contains("usage"));
  EXPECT_EQ(json(all[1])["choices"][0]["token_ids"], json("[3]"));
  EXPECT_EQ(json(all[1])["choices"][0]["logprobs"]["content"][0]["token"], "a");
  EXPECT_EQ(json(all[2])["choices"][0]["delta"], Json::object());
  EXPECT_EQ(json(all[3])["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(json(all[4])["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(all[6], "[DONE]");
}

TEST(ChatStream, FailsWithAnErrorObject) {
  const auto all = frames(ChatStream::fail(api_error(base::Error("serve.stopping"))));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(json(all[0])["error"]["code"], "stopping");
  EXPECT_EQ(all[1], "[DONE]");
  EXPECT_EQ(CompletionStream::fail(api_error(base::Error("serve.stopping"))),
            ChatStream::fail(api_error(base::Error("serve.stopping"))));
}

TEST(CompletionResponse, EchoWithLogprobs) {
  const std::vector<EchoedToken> prompt = {{"\xc3\xa9", std::nullopt}, {"b", logprobs("b", -2)}};
  CompletionChoice choice;
  choice.echo = {
      "\xc3\xa9"
      "b",
      &prompt};
  choice.answer.all.content = "c";
  choice.answer.all.logprobs = {logprobs("c", -3)};
  choice.answer.end = AnswerEnd::kLength;
  const Json result = text_completion({head(), {choice}, usage(), true, false});
  EXPECT_EQ(result["object"], "text_completion");
  EXPECT_EQ(result["choices"][0], json(R"({"index": 0, "text": "\u00e9bc",
    "logprobs": {"text_offset": [0, 1, 2], "token_logprobs": [null, -2.0, -3.0],
      "tokens": ["\u00e9", "b", "c"],
      "top_logprobs": [null, {"other": -0.5, "b": -2.0}, {"other": -0.5, "c": -3.0}]},
    "finish_reason": "length", "stop_reason": null})"));
}

TEST(CompletionStream, OffsetsGoOn) {
  CompletionStream stream(head(), {.include_usage = true, .logprobs = true});
  const std::vector<EchoedToken> prompt = {{"ab", std::nullopt}};
  std::string text = stream.echo(0, {"ab", &prompt});
  text += stream.event({.content = "c", .logprobs = {logprobs("c", -1)}});
  text += stream.event({.content = "de", .logprobs = {logprobs("de", -1)}});
  text += stream.event({});
  text += stream.finish(0, AnswerEnd::kStop, "x");
  text += stream.end(usage());
  const auto all = frames(text);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(json(all[0])["choices"][0]["text"], "ab");
  EXPECT_EQ(json(all[0])["choices"][0]["logprobs"]["text_offset"], json("[0]"));
  EXPECT_EQ(json(all[1])["choices"][0]["logprobs"]["text_offset"], json("[2]"));
  EXPECT_EQ(json(all[2])["choices"][0]["logprobs"]["text_offset"], json("[3]"));
  EXPECT_EQ(json(all[3])["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(json(all[3])["choices"][0]["stop_reason"], "x");
  EXPECT_EQ(json(all[4])["choices"], Json::array());
  EXPECT_EQ(all[5], "[DONE]");
}

// RFC 4648, section 10.
TEST(Lists, Base64) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : table)
    EXPECT_EQ(base64_text({reinterpret_cast<const uint8_t*>(plain.data()), plain.size()}), text);
}

TEST(Lists, Embeddings) {
  const std::vector<std::vector<float>> vectors = {{1.0f, -0.5f}, {0.0f, 2.0f}};
  EXPECT_EQ(embedding_list("m", vectors, false, 7), json(R"({"object": "list", "data": [
      {"object": "embedding", "index": 0, "embedding": [1.0, -0.5]},
      {"object": "embedding", "index": 1, "embedding": [0.0, 2.0]}],
      "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7}})"));
  // 0000803f 000000bf: little-endian 1.0 and -0.5.
  EXPECT_EQ(embedding_list("m", vectors, true, 7)["data"][0]["embedding"], "AACAPwAAAL8=");
}

TEST(Lists, RerankIsSortedAndCut) {
  const std::vector<std::string> documents = {"a", "b", "c"};
  const Json result = rerank_list(head(), {{0, 0.1}, {1, 0.9}, {2, 0.9}}, 2, documents, 5);
  EXPECT_EQ(result["results"], json(R"([
      {"index": 1, "relevance_score": 0.9, "document": {"text": "b"}},
      {"index": 2, "relevance_score": 0.9, "document": {"text": "c"}}])"));
  EXPECT_EQ(rerank_list(head(), {{0, 0.1}}, std::nullopt, {}, 5)["results"],
            json(R"([{"index": 0, "relevance_score": 0.1}])"));
}

TEST(Lists, ModelsTokensVersion) {
  ServedModel model;
  model.id = "m";
  model.max_model_len = 4096;
  EXPECT_TRUE(model_object(model)["max_model_len"].is_null());
  model.loaded = true;
  const Json list = model_list({&model, 1});
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(list["data"][0]["max_model_len"], 4096);
  const std::vector<int32_t> ids = {1, 2};
  const std::vector<std::string> pieces = {"a", "\xff"};
  EXPECT_EQ(tokenize_result(ids, pieces, 9),
            json(R"({"count": 2, "max_model_len": 9, "tokens": [1, 2],
                     "token_strs": ["a", "bytes:\\xff"]})"));
  EXPECT_TRUE(tokenize_result(ids, {}, 9)["token_strs"].is_null());
  EXPECT_EQ(detokenize_result("a"), json(R"({"prompt": "a", "content": "a"})"));
  TokenizerInfo info;
  info.eos_token = "<e>";
  EXPECT_EQ(tokenizer_info(info)["eos_token"], "<e>");
  EXPECT_TRUE(tokenizer_info(info)["bos_token"].is_null());
  EXPECT_EQ(version_object("1")["version"], "1");
}

}  // namespace
}  // namespace tulou::serve
