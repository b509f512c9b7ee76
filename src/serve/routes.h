// The handlers of the routes, each in a file of its own. They may throw: guarded() answers.
#pragma once

#include <memory>

#include "net/http_message.h"
#include "serve/service.h"

namespace tulou::serve {

using Exchange = std::shared_ptr<net::HttpExchange>;

// POST /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/rerank.
void chat_completions(Service& service, const Exchange& exchange);
void completions(Service& service, const Exchange& exchange);
void embeddings(Service& service, const Exchange& exchange);
void rerank(Service& service, const Exchange& exchange);
// POST /tokenize, /detokenize; GET /tokenizer_info.
void tokenize(Service& service, const Exchange& exchange);
void detokenize(Service& service, const Exchange& exchange);
void tokenizer_info(Service& service, const Exchange& exchange);

// GET /tulou/ps, POST /tulou/stop.
void show_running(Service& service, const Exchange& exchange);
void stop(Service& service, const Exchange& exchange);

// Headers of text/event-stream.
net::Headers stream_headers();

}  // namespace tulou::serve
