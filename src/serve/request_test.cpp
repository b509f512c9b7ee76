// Bodies of the other routes: completion_request.h, embedding_request.h, tokenize_request.h,
// text_or_ids.h.
#include <gtest/gtest.h>

#include "serve/completion_request.h"
#include "serve/embedding_request.h"
#include "serve/error_test.h"
#include "serve/text_or_ids.h"
#include "serve/tokenize_request.h"

namespace tulou::serve {
namespace {

std::vector<TextOrIds> inputs(const std::string& text) {
  return read_inputs(base::parse_json(text, "test"), "prompt");
}

TEST(Inputs, FourForms) {
  EXPECT_EQ(inputs("\"a\"")[0].text, "a");
  EXPECT_EQ(inputs(R"(["a", "b"])")[1].text, "b");
  const auto ids = inputs("[1, 2, 3]");
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_TRUE(ids[0].is_ids);
  EXPECT_EQ(ids[0].ids, (std::vector<int32_t>{1, 2, 3}));
  const auto lists = inputs("[[1], [2, 3]]");
  ASSERT_EQ(lists.size(), 2u);
  EXPECT_EQ(lists[1].ids, (std::vector<int32_t>{2, 3}));
}

TEST(Inputs, WrongOnesNameTheirPlace) {
  const std::vector<std::pair<std::string, Failure>> table = {
      {"[]", {"request.empty", "prompt"}},
      {"{}", {"request.wrong_type", "prompt"}},
      {"1", {"request.wrong_type", "prompt"}},
      {"[[]]", {"request.empty", "prompt[0]"}},
      {"[1, \"a\"]", {"request.wrong_type", "prompt[1]"}},
      {"[\"a\", 1]", {"request.wrong_type", "prompt[1]"}},
      {"[1, -1]", {"request.out_of_range", "prompt[1]"}},
      {"[1, 2147483648]", {"request.out_of_range", "prompt[1]"}},
      {"[1, 1.5]", {"request.wrong_type", "prompt[1]"}},
      {"[[1, null]]", {"request.wrong_type", "prompt[0][1]"}},
  };
  for (const auto& [text, failure] : table)
    EXPECT_EQ(failure_of([&, t = text] { inputs(t); }), failure) << text;
  std::string many = "[\"a\"";
  for (size_t i = 0; i < kMaxInputs; ++i) many += ",\"a\"";
  EXPECT_EQ(failure_of([&] { inputs(many + "]"); }).id, "request.too_many");
}

TEST(CompletionRequest, Fields) {
  const CompletionRequest request = parse_completion_request(
      R"({"prompt": [[1, 2]], "max_tokens": 1, "logprobs": 1, "echo": true, "temperature": 0,
          "seed": 1234, "model": "m"})");
  EXPECT_TRUE(request.logprobs && request.echo);
  EXPECT_EQ(request.top_logprobs, 1);
  EXPECT_EQ(request.max_tokens, 1);
  EXPECT_EQ(parse_completion_request(R"({"prompt": "a"})").max_tokens, 16);
  EXPECT_FALSE(parse_completion_request(R"({"prompt": "a"})").logprobs);
  EXPECT_TRUE(parse_completion_request(R"({"prompt": "a", "logprobs": 0})").logprobs);
  EXPECT_EQ(parse_completion_request(R"({"prompt": "a", "suffix": "b"})").suffix, "b");
}

TEST(CompletionRequest, BoundOfZeroNeedsSomethingToSay) {
  const auto failure = [](const std::string& fields) {
    return failure_of([&] { parse_completion_request(R"({"prompt": "a", )" + fields + "}"); });
  };
  EXPECT_EQ(failure(R"("max_tokens": 0)"), (Failure{"request.out_of_range", "max_tokens"}));
  EXPECT_EQ(failure(R"("max_tokens": 0, "echo": true)").id, "");
  EXPECT_EQ(failure(R"("max_tokens": 0, "prompt_logprobs": 0)").id, "");
  EXPECT_EQ(failure(R"("suffix": "b", "echo": true)"), (Failure{"request.conflict", "suffix"}));
  EXPECT_EQ(failure(R"("logprobs": true)"), (Failure{"request.wrong_type", "logprobs"}));
}

TEST(EmbeddingRequest, Fields) {
  const EmbeddingRequest request = parse_embedding_request(
      R"({"input": ["a", "b"], "dimensions": 64, "encoding_format": "base64",
          "instruction": "find"})");
  EXPECT_EQ(request.inputs.size(), 2u);
  EXPECT_EQ(request.dimensions, 64);
  EXPECT_TRUE(request.base64);
  EXPECT_EQ(request.instruction, "find");
  EXPECT_EQ(failure_of([] { parse_embedding_request("{}"); }),
            (Failure{"request.missing", "input"}));
  EXPECT_EQ(
      failure_of([] { parse_embedding_request(R"({"input": "a", "encoding_format": "hex"})"); }),
      (Failure{"request.bad_choice", "encoding_format"}));
}

TEST(RerankRequest, Fields) {
  const RerankRequest request = parse_rerank_request(
      R"({"query": "q", "documents": ["a", {"text": "b"}], "top_n": 1,
          "return_documents": false})");
  EXPECT_EQ(request.documents, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.top_n, 1);
  EXPECT_FALSE(request.return_documents);
  EXPECT_EQ(failure_of([] { parse_rerank_request(R"({"query": "q", "documents": []})"); }),
            (Failure{"request.empty", "documents"}));
  EXPECT_EQ(failure_of([] { parse_rerank_request(R"({"query": "q", "documents": [{}]})"); }),
            (Failure{"request.missing", "documents[0].text"}));
  EXPECT_EQ(failure_of([] { parse_rerank_request(R"({"documents": ["a"]})"); }),
            (Failure{"request.missing", "query"}));
}

TEST(TokenizeRequest, TwoServersForms) {
  const TokenizeRequest vllm = parse_tokenize_request(
      R"({"prompt": "a", "add_special_tokens": false, "return_token_strs": true})");
  EXPECT_EQ(vllm.text, "a");
  EXPECT_FALSE(vllm.add_special_tokens);
  EXPECT_TRUE(vllm.return_token_strs);
  const TokenizeRequest llama = parse_tokenize_request(
      R"({"content": "", "add_special": false, "parse_special": false, "with_pieces": true})");
  EXPECT_EQ(llama.text, "");
  EXPECT_FALSE(llama.add_special_tokens || llama.parse_special);
  EXPECT_TRUE(llama.return_token_strs);
  const TokenizeRequest chat =
      parse_tokenize_request(R"({"messages": [{"role": "user", "content": "x"}]})");
  EXPECT_FALSE(chat.text);
  EXPECT_EQ(chat.messages.size(), 1u);
  EXPECT_EQ(failure_of([] { parse_tokenize_request("{}"); }),
            (Failure{"request.missing", "prompt"}));
  EXPECT_EQ(failure_of([] {
              parse_tokenize_request(
                  R"({"prompt": "a", "messages": [{"role": "user", "content": "x"}]})");
            }).id,
            "request.conflict");
}

TEST(DetokenizeRequest, Fields) {
  EXPECT_EQ(parse_detokenize_request(R"({"tokens": [5, 6]})").tokens, (std::vector<int32_t>{5, 6}));
  EXPECT_TRUE(parse_detokenize_request(R"({"tokens": []})").tokens.empty());
  EXPECT_EQ(failure_of([] { parse_detokenize_request(R"({"tokens": ["a"]})"); }),
            (Failure{"request.wrong_type", "tokens[0]"}));
}

}  // namespace
}  // namespace tulou::serve
