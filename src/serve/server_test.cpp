// Tests of the server over HTTP: routes.cpp, chat_route.cpp, completion_route.cpp,
// embedding_routes.cpp, tokenizer_routes.cpp, and what they are made of: generation.cpp,
// generation_plan.cpp, collected_answers.cpp, value_job.cpp, service.cpp, response_head.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "serve/test_server.h"

namespace tulou::serve {
namespace {

using base::Json;

const char* const kChat = "/v1/chat/completions";
const char* const kCompletions = "/v1/completions";

Json chat(const std::string& text, int64_t max_tokens = 12) {
  return {{"model", "tiny"},
          {"messages", {{{"role", "user"}, {"content", text}}}},
          {"temperature", 0},
          {"max_tokens", max_tokens}};
}

Json completion(const std::string& text, int64_t max_tokens = 12) {
  return {{"prompt", text}, {"temperature", 0}, {"max_tokens", max_tokens}};
}

TEST(Server, AStreamSaysWhatAWholeAnswerSays) {
  const TestServer server;
  for (const int64_t n : {1, 3}) {
    Json body = chat("Hello" + std::string(80, '!'), 40);
    body["n"] = n;
    body["seed"] = 5;
    body["temperature"] = 1.5;
    const Json whole = server.ask(kChat, body);
    ASSERT_EQ(whole["choices"].size(), static_cast<size_t>(n));
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    std::vector<std::string> texts(static_cast<size_t>(n)), ends = texts;
    Json usage;
    auto events = server.events(kChat, body);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back(), "[DONE]");
    events.pop_back();
    for (const std::string& event : events) {
      const Json chunk = base::parse_json(event, "event");
      if (!chunk["usage"].is_null()) usage = chunk["usage"];
      for (const Json& choice : chunk["choices"]) {
        const auto index = choice["index"].get<size_t>();
        if (choice["delta"].contains("content"))
          texts[index] += choice["delta"]["content"].get<std::string>();
        if (choice["finish_reason"].is_string()) ends[index] = choice["finish_reason"];
      }
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(texts[i], whole["choices"][i]["message"]["content"].get<std::string>());
      EXPECT_EQ(ends[i], whole["choices"][i]["finish_reason"].get<std::string>());
      if (i > 0) {
        EXPECT_NE(texts[i], texts[0]);
      }
    }
    EXPECT_EQ(usage["completion_tokens"], whole["usage"]["completion_tokens"]);
    EXPECT_GT(usage["prompt_tokens_details"]["cached_tokens"], 0);
  }
}

TEST(Server, StopStringsEndAnAnswer) {
  const TestServer server;
  const std::string text = server.ask(kCompletions, completion("Hello", 30))["choices"][0]["text"];
  ASSERT_GT(text.size(), 6u);
  Json body = completion("Hello", 30);
  body["stop"] = text.substr(4, 2);
  const Json stopped = server.ask(kCompletions, body)["choices"][0];
  EXPECT_EQ(stopped["text"], text.substr(0, text.find(text.substr(4, 2))));
  EXPECT_EQ(stopped["finish_reason"], "stop");
}

TEST(Server, LogprobsOfPromptAndAnswer) {
  const TestServer server;
  Json body = completion("Hello there", 5);
  body["logprobs"] = 2;
  const Json answer = server.ask(kCompletions, body)["choices"][0];
  ASSERT_EQ(answer["logprobs"]["tokens"].size(), 5u);
  body["prompt"] = "Hello there" + answer["text"].get<std::string>();
  body["echo"] = true;
  body["max_tokens"] = 0;
  const Json echo = server.ask(kCompletions, body)["choices"][0];
  EXPECT_EQ(echo["text"], body["prompt"]);
  const Json& logprobs = echo["logprobs"]["token_logprobs"];
  EXPECT_TRUE(logprobs[0].is_null());
  if (logprobs.size() == 16) {  // each token of the answer is one byte: then it is read as such
    for (size_t i = 0; i < 5; ++i)
      EXPECT_EQ(logprobs[11 + i], answer["logprobs"]["token_logprobs"][i]) << i;
  }
  body["stream"] = true;
  const auto events = server.events(kCompletions, body);
  const Json first = base::parse_json(events.at(0), "event");
  EXPECT_EQ(first["choices"][0]["text"], body["prompt"]);
}

TEST(Server, BestOfIsTheMostProbable) {
  const TestServer server;
  Json body = completion("Hello", 6);
  body["temperature"] = 1.5;
  body["seed"] = 1;
  body["n"] = body["best_of"] = 4;
  body["logprobs"] = 0;
  const Json all = server.ask(kCompletions, body)["choices"];
  double best = -1e9;
  std::string text;
  for (const Json& choice : all) {
    double sum = 0;
    const Json& values = choice["logprobs"]["token_logprobs"];
    for (const Json& value : values) sum += value.get<double>();
    const double mean = sum / static_cast<double>(values.size());
    if (mean > best) text = choice["text"];
    best = std::max(best, mean);
  }
  body["n"] = 1;
  const Json one = server.ask(kCompletions, body)["choices"];
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0]["text"], text);
}

TEST(Server, ATurnReadsOnlyWhatIsNew) {
  const TestServer server;
  Json body = chat(std::string(100, 'x'), 8);
  const Json first = server.ask(kChat, body);
  EXPECT_EQ(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
  const Json again = server.ask(kChat, body);
  EXPECT_EQ(again["choices"][0]["message"], first["choices"][0]["message"]);
  EXPECT_GT(again["usage"]["prompt_tokens_details"]["cached_tokens"], 100);
  const Json other = server.ask(kChat, body, "another tenant");
  EXPECT_EQ(other["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
  EXPECT_EQ(other["choices"][0]["message"], first["choices"][0]["message"]);
  body["cache_salt"] = "mine";
  EXPECT_EQ(server.ask(kChat, body)["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
}

TEST(Server, EmbeddingsAreOfLengthOneAndOrdered) {
  const TestServer server;
  const Json one = server.ask("/v1/embeddings", {{"input", "Hello"}, {"dimensions", 8}});
  const Json two = server.ask("/v1/embeddings", {{"input", {"other", "Hello"}}, {"dimensions", 8}});
  double sum = 0;
  for (const Json& value : one["data"][0]["embedding"])
    sum += value.get<double>() * value.get<double>();
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(two["data"].size(), 2u);
  EXPECT_EQ(two["data"][1]["embedding"], one["data"][0]["embedding"]);
}

TEST(Server, TokenizeAndDetokenizeAreInverse) {
  const TestServer server;
  const Json tokens = server.ask("/tokenize", {{"prompt", "Hello"}})["tokens"];
  EXPECT_EQ(tokens.size(), 5u);
  EXPECT_EQ(server.ask("/detokenize", {{"tokens", tokens}})["prompt"], "Hello");
}

TEST(Server, WrongRequestsAreToldWhatIsWrong) {
  const TestServer server;
  const auto error = [&](const std::string& path, const Json& body) {
    const net::ClientResponse response = server.post(path, body);
    const Json told = base::parse_json(response.body, "error")["error"];
    return std::to_string(response.status) + " " + told["code"].get<std::string>() + " " +
           (told["param"].is_null() ? "" : told["param"].get<std::string>());
  };
  Json body = chat("Hello");
  body["model"] = "tinny";
  EXPECT_EQ(error(kChat, body), "404 model_not_found model");
  EXPECT_EQ(error(kChat, chat(std::string(300, 'x'))), "400 context_length_exceeded ");
  EXPECT_EQ(error(kChat, {{"model", "tiny"}}), "400 missing messages");
  EXPECT_EQ(error(kCompletions, {{"prompt", {1, 100000}}}), "400 bad_token prompt");
  EXPECT_EQ(error("/v1/embeddings", {{"input", "a"}, {"dimensions", 4096}}),
            "400 out_of_range dimensions");
  EXPECT_EQ(error("/v1/rerank", {{"query", "a"}, {"documents", {"b"}}}), "400 model_lacks model");
  body = chat("Hello");
  body["response_format"] = {{"type", "json_object"}};
  EXPECT_EQ(error(kChat, body), "400 model_lacks model");
  EXPECT_EQ(server.ask(kChat, chat("Hello"))["choices"].size(), 1u);
}

// A client that goes away ends its answer, and nobody else's.
TEST(Server, AClientThatLeavesCostsNothingMore) {
  TestServer server;
  const Json solo = server.ask(kCompletions, completion("Others", 100));
  std::thread other([&] {
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(server.ask(kCompletions, completion("Others", 100))["choices"], solo["choices"]);
  });
  Json body = completion("I leave", 200);
  body["ignore_eos"] = body["stream"] = true;
  for (int i = 0; i < 5; ++i) {
    net::HttpClient client(server.address());
    client.send("POST", kCompletions, {{"content-type", "application/json"}},
                base::to_json_text(body), [](std::string_view) { return false; });
  }
  other.join();
  for (int i = 0; i < 2000 && server.engine().stats().running > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(server.engine().stats().running, 0);
}

TEST(Server, AFullQueueIsToldAtOnce) {
  TestServerOptions options;
  options.parallel = 1;
  options.max_waiting = 1;
  const TestServer server(options);
  std::vector<std::thread> clients;
  std::atomic<int> answered{0}, refused{0};
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      const net::ClientResponse response = server.post(kCompletions, completion("Hello", 150));
      ++(response.status == 200 ? answered : refused);
      if (response.status == 200) return;
      EXPECT_EQ(response.status, 429);
      EXPECT_FALSE(response.header("retry-after").empty());
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GT(answered, 0);
  EXPECT_EQ(answered + refused, 8);
}

TEST(Server, StoppingAnswersWithAnError) {
  TestServer server;
  server.service().begin_stopping();
  EXPECT_EQ(server.post(kChat, chat("Hello")).status, 503);
  net::HttpClient client(server.address());
  EXPECT_EQ(client.send("GET", "/readyz", {}, "").status, 503);
  EXPECT_EQ(client.send("GET", "/livez", {}, "").status, 200);
}

// 8 tenants with 4 streams each, in a cache that is too small for all: every answer is the one that
// is given alone.
TEST(Server, TenantsNeverMix) {
  const TestServer server;
  const auto request = [](int tenant, int kind) {
    Json body = completion(
        "tenant " + std::to_string(tenant) + std::string(60, 'x') + std::to_string(kind), 40);
    body["ignore_eos"] = true;
    body["return_token_ids"] = true;
    return body;
  };
  std::vector<std::vector<Json>> solo(8);
  for (int tenant = 0; tenant < 8; ++tenant) {
    for (int kind = 0; kind < 2; ++kind)
      solo[static_cast<size_t>(tenant)].push_back(
          server.ask(kCompletions, request(tenant, kind))["choices"]);
  }
  std::vector<std::thread> clients;
  for (int tenant = 0; tenant < 8; ++tenant) {
    for (int stream = 0; stream < 4; ++stream) {
      clients.emplace_back([&, tenant, stream] {
        for (int i = 0; i < 4; ++i) {
          const int kind = (i + stream) % 2;
          const Json answer =
              server.ask(kCompletions, request(tenant, kind), std::to_string(tenant));
          EXPECT_EQ(answer["choices"],
                    solo[static_cast<size_t>(tenant)][static_cast<size_t>(kind)]);
        }
      });
    }
  }
  for (std::thread& client : clients) client.join();
}

Json pick_tool() {
  const Json schema = {{"type", "object"},
                       {"properties", {{"color", {{"enum", {"red", "green"}}}}}},
                       {"required", {"color"}},
                       {"additionalProperties", false}};
  return {{"type", "function"}, {"function", {{"name", "pick"}, {"parameters", schema}}}};
}

// A model that knows nothing still answers in form.
TEST(Server, WhatIsAskedForInFormComesInForm) {
  TestServerOptions options;
  options.helper = std::make_shared<grammar::Helper>();
  const TestServer server(options);
  Json body = chat("Hello", 150);
  body["temperature"] = 1.5;
  body["structured_outputs"] = {{"choice", {"yes", "no"}}};
  const Json choice = server.ask(kChat, body)["choices"][0];
  EXPECT_TRUE(choice["message"]["content"] == "yes" || choice["message"]["content"] == "no");
  EXPECT_EQ(choice["finish_reason"], "stop");
  body.erase("structured_outputs");
  body["tools"] = Json::array({pick_tool()});
  body["tool_choice"] = "required";
  body["parallel_tool_calls"] = false;
  for (const int seed : {1, 2, 3}) {
    body["seed"] = seed;
    const Json answer = server.ask(kChat, body)["choices"][0];
    ASSERT_EQ(answer["finish_reason"], "tool_calls") << answer.dump();
    const Json& call = answer["message"]["tool_calls"][0]["function"];
    EXPECT_EQ(call["name"], "pick");
    const std::string text = call["arguments"];
    const Json arguments = base::parse_json(text, "arguments");
    EXPECT_TRUE(arguments["color"] == "red" || arguments["color"] == "green") << text;
    body["stream"] = true;
    std::string streamed, name;
    for (const std::string& event : server.events(kChat, body)) {
      if (event == "[DONE]") continue;
      const Json delta = base::parse_json(event, "event")["choices"][0]["delta"];
      if (!delta.contains("tool_calls")) continue;
      const Json& function = delta["tool_calls"][0]["function"];
      name += function.value("name", "");
      streamed += function.value("arguments", "");
    }
    EXPECT_EQ(name, "pick");
    EXPECT_EQ(streamed, text);
    body.erase("stream");
  }
  body["tool_choice"] = {{"type", "function"}, {"function", {{"name", "other"}}}};
  EXPECT_EQ(server.post(kChat, body).status, 400);
}

// The pieces of a streamed answer, put together: "content" and "reasoning_content" or "text".
Json streamed(const TestServer& server, const char* path, Json body) {
  body["stream"] = true;
  Json answer = {{"content", ""}, {"reasoning_content", ""}, {"finish_reason", nullptr}};
  for (const std::string& event : server.events(path, body)) {
    if (event == "[DONE]") continue;
    const Json choice = base::parse_json(event, "event")["choices"][0];
    const Json delta = choice.value("delta", Json::object());
    for (const char* key : {"content", "reasoning_content"}) {
      const auto piece = delta.find(key);
      if (piece != delta.end() && piece->is_string())
        answer[key] = answer[key].get<std::string>() + piece->get<std::string>();
    }
    answer["content"] = answer["content"].get<std::string>() + choice.value("text", "");
    if (choice["finish_reason"].is_string()) answer["finish_reason"] = choice["finish_reason"];
  }
  return answer;
}

// However the thinking goes, what follows it is in form. The biases make the model want to stop at
// once, or to begin or to end its thinking.
TEST(Server, ThinkingComesBeforeTheForm) {
  TestServerOptions options;
  options.helper = std::make_shared<grammar::Helper>();
  const TestServer server(options);
  Json body = chat("Hello", 200);
  body["temperature"] = 1.0;
  body["seed"] = 7;
  body["structured_outputs"] = {{"regex", "(ab){3}"}};
  for (const Json& thinking : {Json(nullptr), Json(false), Json(true)}) {
    body.erase("chat_template_kwargs");
    if (!thinking.is_null()) body["chat_template_kwargs"] = {{"enable_thinking", thinking}};
    for (const int32_t wanted :
         {completion::kTinyEnd, completion::kTinyThink, completion::kTinyEndThink}) {
      body["logit_bias"] = {{std::to_string(wanted), 100}};
      for (const int64_t budget : {0, 5}) {
        body["thinking_budget"] = budget;
        const Json choice = server.ask(kChat, body)["choices"][0];
        EXPECT_EQ(choice["message"]["content"], "ababab") << body.dump() << choice.dump();
        EXPECT_EQ(choice["finish_reason"], "stop");
        const Json pieces = streamed(server, kChat, body);
        EXPECT_EQ(pieces["content"], "ababab");
        EXPECT_EQ(pieces["finish_reason"], "stop");
        const Json& reasoning = choice["message"].value("reasoning_content", Json(nullptr));
        EXPECT_EQ(pieces["reasoning_content"], reasoning.is_string() ? reasoning : Json(""));
      }
    }
  }
  // Cut off in the thinking, and a request that has no use for stop tokens.
  body["chat_template_kwargs"] = {{"enable_thinking", true}};
  body["logit_bias"] = {{std::to_string(completion::kTinyEnd), 100}};
  body.erase("thinking_budget");
  body["max_tokens"] = 20;
  const Json cut = server.ask(kChat, body)["choices"][0];
  EXPECT_EQ(cut["finish_reason"], "length") << cut.dump();
  body["ignore_eos"] = true;
  body["chat_template_kwargs"] = {{"enable_thinking", false}};
  const Json ended = server.ask(kChat, body)["choices"][0];
  EXPECT_EQ(ended["message"]["content"], "ababab");
  EXPECT_EQ(ended["finish_reason"], "stop");
}

// Too many ways to read an answer are the grammar's fault, also if it shows in the middle.
TEST(Server, GrammarsThatAreTooAmbiguousAreRefused) {
  TestServerOptions options;
  options.helper = std::make_shared<grammar::Helper>();
  const TestServer server(options);
  Json body = completion("Hello", 100);
  body["structured_outputs"] = {
      {"grammar", "root ::= \"a\" root t | \"a\" t root | \"b\"\nt ::= \"a\" t root | \"a\""}};
  body["logit_bias"] = {{std::to_string('a'), 100}};
  const net::ClientResponse refused = server.post(kCompletions, body);
  EXPECT_EQ(refused.status, 400) << refused.body;
  const Json error = base::parse_json(refused.body, "error")["error"];
  EXPECT_EQ(error["code"], "invalid_grammar");
}

// A client is told of the server's own failures in general words; who runs it is told all.
TEST(Server, OwnFailuresAreLogged) {
  TestServerOptions options;
  options.num_models = 2;
  options.broken = "tiny-1";
  TestServer server(options);
  std::promise<std::string> logged;
  server.service().set_log([&](const std::string& what) { logged.set_value(what); });
  Json body = completion("Hello", 3);
  EXPECT_EQ(server.post(kCompletions, body).status, 200);
  body["model"] = "tiny-1";
  const net::ClientResponse failed = server.post(kCompletions, body);
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body.find("secret"), std::string::npos) << failed.body;
  EXPECT_EQ(logged.get_future().get(), "error: /secret");
}

// A plain text has no thinking part, whatever is in it.
TEST(Server, ThinkTagsOfAPlainTextAreText) {
  TestServerOptions options;
  options.helper = std::make_shared<grammar::Helper>();
  const TestServer server(options);
  for (const char* prompt : {"Hello", "<think>\n"}) {
    Json body = completion(prompt, 3);
    body["logit_bias"] = {{std::to_string(completion::kTinyThink), 100}};
    EXPECT_EQ(server.ask(kCompletions, body)["choices"][0]["text"], "<think><think><think>");
    EXPECT_EQ(streamed(server, kCompletions, body)["content"], "<think><think><think>");
    body["max_tokens"] = 30;
    body["structured_outputs"] = {{"regex", "(ab){3}"}};
    for (const int32_t wanted : {completion::kTinyThink, completion::kTinyEnd}) {
      body["logit_bias"] = {{std::to_string(wanted), 100}};
      const Json choice = server.ask(kCompletions, body)["choices"][0];
      EXPECT_EQ(choice["text"], "ababab");
      EXPECT_EQ(choice["finish_reason"], "stop");
      EXPECT_EQ(streamed(server, kCompletions, body)["content"], "ababab");
    }
  }
}

}  // namespace
}  // namespace tulou::serve
