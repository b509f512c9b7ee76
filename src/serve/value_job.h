// Requests that yield values (hidden states, scores) in place of answers, all together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "serve/api_error.h"
#include "serve/generation.h"
#include "serve/loaded_model.h"
#include "serve/service.h"

namespace tulou::serve {

struct ValueResult {
  std::vector<std::vector<float>> values;  // of each request
  int64_t prompt_tokens = 0;
};

// Runs all requests, some at a time; `done` is called once when the last one is done, unless the
// client has gone or one failed, which answers with an error.
void run_value_job(Service& service, const std::shared_ptr<LoadedModel>& model,
                   std::vector<engine::Request> requests,
                   const std::shared_ptr<net::HttpExchange>& exchange,
                   std::function<void(ValueResult)> done);

}  // namespace tulou::serve
