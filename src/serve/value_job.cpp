#include "serve/value_job.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tulou::serve {
namespace {

// Held by the callbacks of its streams and by the exchange, until it is done.
struct ValueJob : std::enable_shared_from_this<ValueJob> {
  std::shared_ptr<LoadedModel> model;
  std::shared_ptr<net::HttpExchange> exchange;
  std::function<void(ValueResult)> done;
  std::mutex mutex;  // guards what follows
  std::vector<std::shared_ptr<engine::TokenStream>> streams;
  bool submitted = false, ended = false;

  void cancel() {
    const std::lock_guard lock(mutex);
    ended = true;
    for (const auto& stream : streams) stream->cancel();
  }

  void look() {
    const std::lock_guard lock(mutex);
    const auto finished = [](const auto& stream) { return stream->finished(); };
    if (!submitted || ended || !std::ranges::all_of(streams, finished)) return;
    ended = true;
    guarded(exchange, [&] {
      ValueResult result;
      for (const auto& stream : streams) {
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
  job->model = model;
  job->exchange = exchange;
  job->done = std::move(done);
  const std::weak_ptr<ValueJob> weak = job;
  try {
    for (engine::Request& request : requests) {
      request.on_output = [weak, post = service.post()] {
        post([weak] {
          if (const auto alive = weak.lock()) alive->look();
        });
      };
      auto stream = model->engine->submit(std::move(request));
      const std::lock_guard lock(job->mutex);
      job->streams.push_back(std::move(stream));
    }
  } catch (...) {
    job->cancel();
    throw;
  }
  {
    const std::lock_guard lock(job->mutex);
    job->submitted = true;
  }
  exchange->on_gone([job] { job->cancel(); });
  job->look();
}

}  // namespace tulou::serve
