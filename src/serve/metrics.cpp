#include "serve/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/number.h"

namespace tulou::serve {
namespace {

// Buckets: seconds of an answer, seconds between tokens, counts of tokens.
constexpr std::array kFirstTokenBounds = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06,  0.08,
                                          0.1,   0.25,  0.5,  0.75, 1.0,  2.5,   5.0,
                                          7.5,   10.0,  20.0, 40.0, 80.0, 160.0, 640.0};
constexpr std::array kTokenBounds = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
                                     0.4,   0.5,  0.75,  1.0,  2.5,   5.0, 7.5,  10.0};
constexpr std::array kRequestBounds = {0.1,   0.3,   0.5,   0.8,   1.0,    1.5,   2.0,  2.5,
                                       5.0,   10.0,  15.0,  20.0,  30.0,   40.0,  50.0, 60.0,
                                       120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
constexpr std::array kCountBounds = {1.0,    2.0,    5.0,    10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
                                     1000.0, 2000.0, 5000.0, 1e4,  2e4,  5e4,  1e5,   2e5,   5e5};
constexpr std::array kChoiceBounds = {1.0, 2.0, 5.0, 10.0, 20.0};

// Label values may hold any character; these three are escaped (exposition format 0.0.4).
std::string label_value(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\\\";
    } else if (c == '"') {
      result += "\\\"";
    } else if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

std::string number(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return std::isnan(value) ? "NaN" : base::to_text(value);
}

// Writes families. A family's samples stand together below its HELP and TYPE, as the format wants.
class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n";
    text_ += "# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  void sample(std::string_view suffix, std::string_view labels, double value) {
    text_ += name_ + std::string(suffix);
    if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
    text_ += " " + number(value) + "\n";
  }
  void histogram(const std::string& labels, const Histogram& histogram) {
    const std::vector<uint64_t> counts = histogram.counts();
    uint64_t total = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      total += counts[i];
      const std::string bound =
          i < histogram.bounds().size() ? number(histogram.bounds()[i]) : "+Inf";
      std::string bucket = labels;
      bucket.append(",le=\"").append(bound).append("\"");
      sample("_bucket", bucket, static_cast<double>(total));
    }
    sample("_sum", labels, histogram.sum());
    sample("_count", labels, static_cast<double>(total));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_, name_;
};

struct GaugeRow {
  std::string_view name, vllm_name, help;
  Gauge ModelMetrics::* member;
};
constexpr GaugeRow kGauges[] = {
    {"requests_running", "num_requests_running", "Requests that are computed.",
     &ModelMetrics::requests_running},
    {"requests_waiting", "num_requests_waiting", "Requests that wait.",
     &ModelMetrics::requests_waiting},
    {"cache_usage_ratio", "kv_cache_usage_perc", "Share of the cache in use, 0 to 1.",
     &ModelMetrics::cache_usage},
};

struct CounterRow {
  std::string_view name, vllm_name, help;
  Counter ModelMetrics::* member;
};
constexpr CounterRow kCounters[] = {
    {"prefix_cache_queries_total", "prefix_cache_queries_total",
     "Prompt tokens that were looked up in the prefix cache.", &ModelMetrics::prefix_queries},
    {"prefix_cache_hits_total", "prefix_cache_hits_total", "Prompt tokens that were found there.",
     &ModelMetrics::prefix_hits},
    {"disk_cache_hits_total", "", "States that were loaded from the cache on disk.",
     &ModelMetrics::disk_hits},
    {"disk_cache_hit_tokens_total", "", "Tokens of those states.", &ModelMetrics::disk_tokens},
    {"disk_cache_writes_total", "", "States that were written there.", &ModelMetrics::disk_writes},
    {"disk_cache_dropped_total", "",
     "States that were not written, since too many waited or the disk failed.",
     &ModelMetrics::disk_dropped},
    {"prompt_tokens_total", "prompt_tokens_total", "Prompt tokens of all requests.",
     &ModelMetrics::prompt_tokens},
    {"generation_tokens_total", "generation_tokens_total", "Tokens of all answers.",
     &ModelMetrics::generation_tokens},
    {"reasoning_tokens_total", "", "Of those, tokens of the thinking.",
     &ModelMetrics::reasoning_tokens},
    {"preemptions_total", "num_preemptions_total",
     "Requests that made room for another and were begun again.", &ModelMetrics::preemptions},
    {"loops_stopped_total", "", "Answers that repeated themselves and were ended.",
     &ModelMetrics::loops_stopped},
};

struct FinishRow {
  std::string_view reason;
  Counter ModelMetrics::* member;
};
constexpr FinishRow kFinishes[] = {{"stop", &ModelMetrics::finished_stop},
                                   {"length", &ModelMetrics::finished_length},
                                   {"abort", &ModelMetrics::finished_abort},
                                   {"error", &ModelMetrics::finished_error}};

struct HistogramRow {
  std::string_view name, vllm_name, help;
  Histogram ModelMetrics::* member;
};
constexpr HistogramRow kHistograms[] = {
    {"request_prompt_tokens", "request_prompt_tokens", "Prompt tokens of a request.",
     &ModelMetrics::request_prompt_tokens},
    {"request_generation_tokens", "request_generation_tokens", "Tokens of an answer.",
     &ModelMetrics::request_generation_tokens},
    {"request_n", "request_params_n", "Answers that a request asks for.", &ModelMetrics::request_n},
    {"request_max_tokens", "request_params_max_tokens", "The bound that a request gives.",
     &ModelMetrics::request_max_tokens},
    {"time_to_first_token_seconds", "time_to_first_token_seconds",
     "From the request to its first token.", &ModelMetrics::time_to_first_token},
    {"inter_token_latency_seconds", "inter_token_latency_seconds",
     "Between two tokens of an answer.", &ModelMetrics::inter_token_latency},
    {"request_latency_seconds", "e2e_request_latency_seconds", "From the request to its end.",
     &ModelMetrics::request_latency},
    {"request_queue_seconds", "request_queue_time_seconds", "Waiting.", &ModelMetrics::queue_time},
    {"request_prefill_seconds", "request_prefill_time_seconds", "Reading the prompt.",
     &ModelMetrics::prefill_time},
    {"request_decode_seconds", "request_decode_time_seconds", "Making the answer.",
     &ModelMetrics::decode_time},
    {"request_inference_seconds", "request_inference_time_seconds", "Both together.",
     &ModelMetrics::inference_time},
};

std::string model_label(std::string_view name) {
  return "model_name=\"" + label_value(name) + "\"";
}

// Calls write(name) for our name and, if there is one, vLLM's.
template <typename Write>
void under_both_names(std::string_view ours, std::string_view vllm, Write write) {
  write("tulou_" + std::string(ours));
  if (!vllm.empty()) write("vllm:" + std::string(vllm));
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {}

void Histogram::observe(double value) {
  if (std::isnan(value)) return;
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[static_cast<size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<uint64_t> Histogram::counts() const {
  std::vector<uint64_t> result;
  for (const auto& count : counts_) result.push_back(count.load(std::memory_order_relaxed));
  return result;
}

ModelMetrics::ModelMetrics()
    : request_prompt_tokens(kCountBounds),
      request_generation_tokens(kCountBounds),
      request_n(kChoiceBounds),
      request_max_tokens(kCountBounds),
      time_to_first_token(kFirstTokenBounds),
      inter_token_latency(kTokenBounds),
      request_latency(kRequestBounds),
      queue_time(kRequestBounds),
      prefill_time(kRequestBounds),
      decode_time(kRequestBounds),
      inference_time(kRequestBounds) {}

ModelMetrics& Metrics::model(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto find = [&](std::string_view wanted) {
    return std::find_if(models_.begin(), models_.end(),
                        [&](const Named& one) { return one.name == wanted; });
  };
  auto found = find(name);
  if (found == models_.end() && models_.size() >= kMaxModels) {
    name = "other";
    found = find(name);
  }
  if (found != models_.end()) return found->metrics;
  Named& made = models_.emplace_back();
  made.name = name;
  return made.metrics;
}

void Metrics::count_response(std::string_view route, int status) {
  const std::lock_guard lock(mutex_);
  auto found = std::find_if(responses_.begin(), responses_.end(), [&](const Responses& one) {
    return one.route == route && one.status == status;
  });
  if (found == responses_.end()) {
    if (responses_.size() >= kMaxResponses) return;
    Responses& made = responses_.emplace_back();
    made.route = route;
    made.status = status;
    found = std::prev(responses_.end());
  }
  found->count.add();
}

std::string Metrics::server_text() const {
  Writer writer;
  writer.family("tulou_http_responses_total", "counter", "Answers by route and status.");
  for (const Responses& one : responses_) {
    writer.sample(
        "", "route=\"" + label_value(one.route) + "\",status=\"" + base::to_text(one.status) + "\"",
        one.count.value());
  }
  const std::pair<std::string_view, const Counter*> rejections[] = {
      {"queue_full", &rejected_queue_full}, {"unauthorized", &rejected_unauthorized}};
  writer.family("tulou_requests_rejected_total", "counter", "Requests that were turned away.");
  for (const auto& [reason, counter] : rejections)
    writer.sample("", "reason=\"" + std::string(reason) + "\"", counter->value());
  writer.family("tulou_disconnects_total", "counter", "Clients that left before the end.");
  writer.sample("", "", disconnects.value());
  writer.family("tulou_connections", "gauge", "Open connections.");
  writer.sample("", "", connections.value());
  if (!has_disk) return writer.take();
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       double value) {
    writer.family("tulou_disk_cache_" + std::string(name), type, help);
    writer.sample("", "", value);
  };
  one("bytes", "gauge", "Size of the cache on disk.", disk_bytes.value());
  one("entries", "gauge", "States in it.", disk_entries.value());
  one("evictions_total", "counter", "States that were removed for others.", disk_evictions.value());
  one("damaged_total", "counter", "Files that were not right and were removed.",
      disk_damaged.value());
  one("failures_total", "counter", "Readings and writings that the system refused.",
      disk_failures.value());
  return writer.take();
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  Writer writer;
  const auto all = [&](std::string_view type, const auto& row, auto sample) {
    under_both_names(row.name, row.vllm_name, [&](const std::string& name) {
      writer.family(name, type, row.help);
      for (const Named& one : models_) sample(model_label(one.name), one.metrics.*row.member);
    });
  };
  const auto plain = [&](const std::string& labels, const auto& metric) {
    writer.sample("", labels, metric.value());
  };
  for (const GaugeRow& row : kGauges) all("gauge", row, plain);
  for (const CounterRow& row : kCounters) all("counter", row, plain);
  for (const HistogramRow& row : kHistograms)
    all("histogram", row, [&](const std::string& labels, const Histogram& histogram) {
      writer.histogram(labels, histogram);
    });
  under_both_names(
      "requests_finished_total", "request_success_total", [&](const std::string& name) {
        writer.family(name, "counter", "Requests that ended, and how.");
        for (const Named& one : models_)
          for (const FinishRow& row : kFinishes)
            writer.sample(
                "", model_label(one.name) + ",finished_reason=\"" + std::string(row.reason) + "\"",
                (one.metrics.*row.member).value());
      });
  writer.family("vllm:cache_config_info", "gauge", "Size of the cache, in its labels.");
  for (const Named& one : models_)
    writer.sample("",
                  model_label(one.name) + ",block_size=\"" +
                      number(one.metrics.cache_block_size.value()) + "\",num_gpu_blocks=\"" +
                      number(one.metrics.cache_num_blocks.value()) + "\"",
                  1);
  return writer.take() + server_text();
}

}  // namespace tulou::serve
