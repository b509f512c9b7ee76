// Answers of a server: what run and chat do with --server.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "cli/answer_options.h"
#include "cli/answer_printer.h"
#include "cli/chat_answerer.h"
#include "cli/remote_server.h"
#include "completion/completion.h"

namespace tulou::cli {

// The body of a request for a streamed answer: what was set, the rest is the server's choice. An
// empty model is the server's first one. Exactly one of `messages` and `prompt` goes in.
base::Json remote_chat_request(const std::string& model, const base::Json& messages,
                               const AnswerSettings& settings);
base::Json remote_text_request(const std::string& model, const std::string& prompt,
                               const AnswerSettings& settings);

struct RemoteAnswer {
  completion::CompletionResult result;
  std::string model;          // as the server calls it
  int64_t cached_tokens = 0;  // of the prompt: read from the server's cache
};

// Asks and prints the answer while it comes; `printer` may be null. Once `cancel` is true the
// server is left, and what came until then is the answer. Errors of RemoteServer::stream.
RemoteAnswer follow_remote(const RemoteServer& server, const base::Json& request,
                           const std::atomic<bool>& cancel, AnswerPrinter* printer);

class RemoteAnswerer final : public ChatAnswerer {
 public:
  // `server` must outlive it; `model` may be empty.
  RemoteAnswerer(const RemoteServer& server, std::string url, std::string model)
      : server_(server), url_(std::move(url)), model_(std::move(model)) {}

  std::string introduction() const override;
  completion::CompletionResult answer(const base::Json& messages, const AnswerSettings& settings,
                                      InterruptScope& interrupt, AnswerPrinter& printer) override;

 private:
  const RemoteServer& server_;
  std::string url_, model_;
};

}  // namespace tulou::cli
