#include "cli/remote_answer.h"

#include <chrono>

#include "base/error.h"
#include "base/json_value.h"
#include "cli/progress_bar.h"

namespace tulou::cli {

namespace {

using base::Json;
using base::JsonObject;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMostTokens = int64_t{1} << 40;
constexpr int64_t kMostAnswerTokens = int64_t{1} << 30;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

Json common_request(const std::string& model, const AnswerSettings& settings) {
  Json body = {{"stream", true}, {"stream_options", {{"include_usage", true}}}};
  if (!model.empty()) body["model"] = model;
  const auto add = [&](const char* name, const auto& value) {
    if (value) body[name] = *value;
  };
  add("max_tokens", settings.max_tokens);
  add("temperature", settings.temperature);
  add("top_p", settings.top_p);
  add("min_p", settings.min_p);
  add("top_k", settings.top_k);
  add("repetition_penalty", settings.repetition_penalty);
  add("presence_penalty", settings.presence_penalty);
  add("frequency_penalty", settings.frequency_penalty);
  add("seed", settings.seed);
  if (!settings.stops.empty()) body["stop"] = settings.stops;
  return body;
}

// An answer that grows by events of /v1/chat/completions or /v1/completions.
class GrowingAnswer {
 public:
  explicit GrowingAnswer(AnswerPrinter* printer) : printer_(printer) {
    progress_.begin("waiting for the answer", 0, base::ProgressUnit::kSeconds);
  }

  void wait() {
    if (!begun_) progress_.advance(static_cast<uint64_t>(seconds_between(begin_, Clock::now())));
  }

  void take(const Json& event) {
    const JsonObject object(event, "an event of the stream");
    answer_.model = object.string("model", answer_.model);
    if (object.has("usage")) take_usage(object.object("usage"));
    const Json& choices = object.get("choices");
    if (!choices.is_array() || choices.empty()) return;
    const JsonObject choice(choices[0], "a choice of the stream");
    const bool is_chat = choice.has("delta");
    const JsonObject delta = is_chat ? choice.object("delta") : choice;
    if (is_chat) add(delta.string("reasoning_content", ""), true);
    add(delta.string(is_chat ? "content" : "text", ""), false);
    const std::string reason = choice.string("finish_reason", "");
    if (!reason.empty())
      answer_.result.finish_reason =
          reason == "length" ? engine::FinishReason::kLength : engine::FinishReason::kStop;
  }

  RemoteAnswer finish() {
    completion::CompletionResult& result = answer_.result;
    if (result.finish_reason == engine::FinishReason::kNone)
      result.finish_reason = engine::FinishReason::kCancelled;
    const Clock::time_point end = Clock::now();
    result.prompt_seconds = seconds_between(begin_, begun_ ? first_ : end);
    result.generation_seconds = begun_ ? seconds_between(first_, last_) : 0;
    return std::move(answer_);
  }

 private:
  void take_usage(const JsonObject& usage) {
    answer_.result.prompt_tokens = usage.integer("prompt_tokens", 0, kMostTokens, 0);
    answer_.result.generated_tokens = usage.integer("completion_tokens", 0, kMostTokens, 0);
    if (usage.has("prompt_tokens_details"))
      answer_.cached_tokens =
          usage.object("prompt_tokens_details").integer("cached_tokens", 0, kMostTokens, 0);
  }

  void add(const std::string& text, bool reasoning) {
    if (text.empty()) return;
    last_ = Clock::now();
    if (!begun_) {
      first_ = last_;
      progress_.end();
    }
    begun_ = true;
    (reasoning ? answer_.result.reasoning : answer_.result.text) += text;
    if (printer_ != nullptr) printer_->print({{text, reasoning}});
  }

  AnswerPrinter* printer_;
  ProgressBar progress_;
  RemoteAnswer answer_;
  Clock::time_point begin_ = Clock::now(), first_, last_;
  bool begun_ = false;
};

}  // namespace

Json remote_chat_request(const std::string& model, const Json& messages,
                         const AnswerSettings& settings) {
  Json body = common_request(model, settings);
  body["messages"] = messages;
  if (settings.think) body["enable_thinking"] = *settings.think;
  return body;
}

Json remote_text_request(const std::string& model, const std::string& prompt,
                         const AnswerSettings& settings) {
  Json body = common_request(model, settings);
  // Without it this API ends after 16 tokens; the server cuts it to what the context leaves.
  if (!settings.max_tokens) body["max_tokens"] = kMostAnswerTokens;
  body["prompt"] = prompt;
  return body;
}

RemoteAnswer follow_remote(const RemoteServer& server, const Json& request,
                           const std::atomic<bool>& cancel, AnswerPrinter* printer) {
  const char* target = request.contains("messages") ? "/v1/chat/completions" : "/v1/completions";
  GrowingAnswer answer(printer);
  try {
    server.stream(
        target, request, cancel, [&](const Json& event) { answer.take(event); },
        [&] { answer.wait(); });
  } catch (const base::Error& error) {
    if (error.kind() != base::ErrorKind::kCancelled) throw;
  }
  return answer.finish();
}

std::string RemoteAnswerer::introduction() const {
  return "answers come from " + url_ + (model_.empty() ? "" : ", model " + model_);
}

completion::CompletionResult RemoteAnswerer::answer(const Json& messages,
                                                    const AnswerSettings& settings,
                                                    InterruptScope& interrupt,
                                                    AnswerPrinter& printer) {
  const Json request = remote_chat_request(model_, messages, settings);
  completion::CompletionResult result =
      follow_remote(server_, request, interrupt.flag(), &printer).result;
  interrupt.clear();
  return result;
}

}  // namespace tulou::cli
