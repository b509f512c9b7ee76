#include "serve/value_job.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tulou::serve {
namespace {

// So that one request with many inputs does not fill the engine's queue.
constexpr size_t kAtOnce = 32;

// Held by the callbacks of its streams and by the exchange, until it is done.
struct ValueJob : std::enable_shared_from_this<ValueJob> {
  Service* service = nullptr;
  std::shared_ptr<LoadedModel> model;
  std::shared_ptr<net::HttpExchange> exchange;
  std::function<void(ValueResult)> done;
  std::mutex mutex;                       // guards what follows
  std::vector<engine::Request> requests;  // those from streams.size() on are still to be submitted
  std::vector<std::shared_ptr<engine::TokenStream>> streams;
  bool ended = false;

  void cancel() {
    const std::lock_guard lock(mutex);
    ended = true;
    for (const auto& stream : streams) stream->cancel();
  }

  // With the lock held. Errors of Engine::submit.
  void submit_more() {
    const auto running = [&] {
      return static_cast<size_t>(
          std::ranges::count_if(streams, [](const auto& stream) { return !stream->finished(); }));
    };
    for (size_t left = kAtOnce - std::min(kAtOnce, running());
         left > 0 && streams.size() < requests.size(); --left)
      streams.push_back(model->engine->submit(std::move(requests[streams.size()])));
  }

  void look() {
    const std::lock_guard lock(mutex);
    if (ended) return;
    const auto finished = [](const auto& stream) { return stream->finished(); };
    guarded(*service, exchange, [&] {
      submit_more();
      if (streams.size() < requests.size() || !std::ranges::all_of(streams, finished)) return;
      ended = true;
      ValueResult result;
      for (const auto& stream : streams) {
        if (auto failure = stream->failure()) std::rethrow_exception(failure);
        if (stream->finish_reason() != engine::FinishReason::kStop)
          throw std::runtime_error("a request was not finished");
        result.values.push_back(stream->take_values());
        result.prompt_tokens += stream->usage().prompt_tokens;
      }
      done(std::move(result));
    });
  }
};

}  // namespace

void run_value_job(Service& service, const std::shared_ptr<LoadedModel>& model,
                   std::vector<engine::Request> requests,
                   const std::shared_ptr<net::HttpExchange>& exchange,
                   std::function<void(ValueResult)> done) {
  auto job = std::make_shared<ValueJob>();
  job->service = &service;
  job->model = model;
  job->exchange = exchange;
  job->done = std::move(done);
  for (engine::Request& request : requests) {
    request.on_output = [weak = std::weak_ptr<ValueJob>(job), post = service.post()] {
      post([weak] {
        if (const auto alive = weak.lock()) alive->look();
      });
    };
  }
  job->requests = std::move(requests);
  exchange->on_gone([job] { job->cancel(); });
  job->look();
}

}  // namespace tulou::serve
