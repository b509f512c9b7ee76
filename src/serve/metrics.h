// Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4). Names
// are ours, and vLLM's beside them, so that its dashboards and routers work as they are.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::serve {

// All may be used by any thread.
class Counter {
 public:
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  // For what is counted elsewhere; never less than before.
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  // `bounds` rise; a value is counted in the first bucket whose bound is not below it.
  explicit Histogram(std::span<const double> bounds);
  // NaN is not counted.
  void observe(double value);
  const std::vector<double>& bounds() const { return bounds_; }
  // How many values each bucket has, the last one those above all bounds.
  std::vector<uint64_t> counts() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

// What is measured for one model; the label is model_name.
struct ModelMetrics {
  ModelMetrics();
  Gauge requests_running, requests_waiting, cache_usage;      // cache_usage: 0 to 1
  Gauge cache_block_size, cache_num_blocks;                   // tokens, blocks
  Counter prefix_queries, prefix_hits;                        // tokens
  Counter disk_hits, disk_tokens, disk_writes, disk_dropped;  // states; disk_tokens: tokens
  Counter prompt_tokens, generation_tokens, reasoning_tokens;
  Counter preemptions;
  Counter finished_stop, finished_length, finished_abort, finished_error;
  Counter loops_stopped;  // answers that the loop guard ended
  Histogram request_prompt_tokens, request_generation_tokens;
  Histogram request_n, request_max_tokens;
  Histogram time_to_first_token, inter_token_latency;
  Histogram request_latency, queue_time, prefill_time, decode_time, inference_time;  // seconds
};

class Metrics {
 public:
  // The metrics of a model that is served; made at the first call. At most kMaxModels names have
  // their own, so that a client cannot make the text grow; others share "other".
  ModelMetrics& model(std::string_view name);
  static constexpr size_t kMaxModels = 64;

  // HTTP answers by route and status. `route` is one of the server's own patterns, never a path
  // that a client made up; beyond kMaxResponses pairs new ones are not counted.
  void count_response(std::string_view route, int status);
  static constexpr size_t kMaxResponses = 512;
  Counter rejected_queue_full, rejected_unauthorized, disconnects;
  Gauge connections;
  // Of the cache on disk, which all models share. A server without one does not show them.
  Counter disk_damaged, disk_failures, disk_evictions;
  Gauge disk_bytes, disk_entries;
  std::atomic<bool> has_disk{false};

  // The whole text for GET /metrics.
  std::string text() const;

 private:
  struct Named {
    std::string name;
    ModelMetrics metrics;
  };
  struct Responses {
    std::string route;
    int status = 0;
    Counter count;
  };
  std::string server_text() const;  // with mutex_ held
  mutable std::mutex mutex_;        // of the lists; what is in them has its own atomics
  std::deque<Named> models_;
  std::deque<Responses> responses_;
};

}  // namespace tulou::serve
