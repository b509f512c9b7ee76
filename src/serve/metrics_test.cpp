#include "serve/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <thread>

#include "base/number.h"

namespace tulou::serve {
namespace {

struct Scrape {
  std::map<std::string, std::string> types;  // family to type
  std::map<std::string, double> samples;     // name with labels to value
  std::vector<std::string> names;            // sample names as they come
};

bool is_metric_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == ':';
         });
}

// Reads the exposition format by its rules: HELP and TYPE once, before the family's samples, which
// stand together; no sample twice; a number at the end of each line.
Scrape parse(const std::string& text) {
  Scrape scrape;
  std::set<std::string> helped;
  std::string family;
  EXPECT_TRUE(text.ends_with('\n'));
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(is_metric_name(family)) << line;
      EXPECT_TRUE(helped.insert(family).second) << line;
    } else if (line.starts_with("# TYPE ")) {
      const size_t space = line.find(' ', 7);
      EXPECT_EQ(line.substr(7, space - 7), family) << line;
      EXPECT_TRUE(scrape.types.emplace(family, line.substr(space + 1)).second) << line;
    } else {
      const std::string name = line.substr(0, line.find_first_of("{ "));
      EXPECT_TRUE(is_metric_name(name)) << line;
      EXPECT_TRUE(name == family || (scrape.types[family] == "histogram" &&
                                     (name == family + "_bucket" || name == family + "_sum" ||
                                      name == family + "_count")))
          << line;
      if (scrape.types[family] == "counter") {
        EXPECT_TRUE(name.ends_with("_total")) << line;
      }
      const size_t space = line.rfind(' ');
      const std::string number = line.substr(space + 1);
      const auto value = base::parse_double(number);
      EXPECT_TRUE(value) << line;
      EXPECT_TRUE(scrape.samples.emplace(line.substr(0, space), value.value_or(0)).second) << line;
      scrape.names.push_back(name);
    }
  }
  return scrape;
}

TEST(Metrics, TextReadsBack) {
  Metrics metrics;
  ModelMetrics& model = metrics.model("qwen");
  model.requests_running.set(3);
  model.generation_tokens.add(10);
  model.generation_tokens.add(5);
  model.finished_stop.add();
  model.cache_block_size.set(16);
  model.cache_num_blocks.set(100);
  for (const double seconds : {0.0005, 0.001, 0.3, 1000.0})
    model.time_to_first_token.observe(seconds);
  metrics.count_response("/v1/models", 200);
  metrics.count_response("/v1/models", 200);
  metrics.count_response("/v1/models", 401);
  const Scrape scrape = parse(metrics.text());
  const auto& samples = scrape.samples;
  for (const char* prefix : {"tulou_", "vllm:"}) {
    const std::string name(prefix);
    EXPECT_EQ(samples.at(name + (name == "vllm:" ? "num_" : "") +
                         "requests_running{model_name=\"qwen\"}"),
              3);
    EXPECT_EQ(samples.at(name + "generation_tokens_total{model_name=\"qwen\"}"), 15);
    const std::string first = name + "time_to_first_token_seconds";
    EXPECT_EQ(scrape.types.at(first), "histogram");
    EXPECT_EQ(samples.at(first + "_bucket{model_name=\"qwen\",le=\"0.001\"}"), 2);
    EXPECT_EQ(samples.at(first + "_bucket{model_name=\"qwen\",le=\"640\"}"), 3);
    EXPECT_EQ(samples.at(first + "_bucket{model_name=\"qwen\",le=\"+Inf\"}"), 4);
    EXPECT_EQ(samples.at(first + "_count{model_name=\"qwen\"}"), 4);
    EXPECT_NEAR(samples.at(first + "_sum{model_name=\"qwen\"}"), 1000.3015, 1e-9);
  }
  EXPECT_EQ(samples.at("vllm:request_success_total{model_name=\"qwen\",finished_reason=\"stop\"}"),
            1);
  EXPECT_EQ(samples.at("vllm:cache_config_info{model_name=\"qwen\",block_size=\"16\","
                       "num_gpu_blocks=\"100\"}"),
            1);
  EXPECT_EQ(samples.at("tulou_http_responses_total{route=\"/v1/models\",status=\"200\"}"), 2);
  EXPECT_EQ(samples.at("tulou_http_responses_total{route=\"/v1/models\",status=\"401\"}"), 1);
}

TEST(Metrics, HasTheNamesThatDashboardsAskFor) {
  Metrics metrics;
  metrics.model("m");
  const Scrape scrape = parse(metrics.text());
  for (const char* name : {"num_requests_running",
                           "num_requests_waiting",
                           "kv_cache_usage_perc",
                           "prefix_cache_queries_total",
                           "prefix_cache_hits_total",
                           "prompt_tokens_total",
                           "generation_tokens_total",
                           "request_success_total",
                           "request_prompt_tokens",
                           "request_generation_tokens",
                           "time_to_first_token_seconds",
                           "inter_token_latency_seconds",
                           "e2e_request_latency_seconds",
                           "request_queue_time_seconds",
                           "request_prefill_time_seconds",
                           "request_decode_time_seconds",
                           "request_inference_time_seconds",
                           "num_preemptions_total",
                           "request_params_n",
                           "request_params_max_tokens",
                           "cache_config_info"})
    EXPECT_TRUE(scrape.types.contains("vllm:" + std::string(name))) << name;
}

TEST(Metrics, LabelsAreEscapedAndBounded) {
  Metrics metrics;
  metrics.model("a\"b\\c\nd").requests_running.set(1);
  for (size_t i = 0; i < 2 * Metrics::kMaxModels; ++i)
    metrics.model("m" + base::to_text(i)).requests_running.add(1);
  for (int i = 0; i < 2000; ++i) metrics.count_response("/r" + base::to_text(i), 200);
  const Scrape scrape = parse(metrics.text());
  EXPECT_EQ(scrape.samples.at(R"(tulou_requests_running{model_name="a\"b\\c\nd"})"), 1);
  EXPECT_EQ(scrape.samples.at(R"(tulou_requests_running{model_name="other"})"),
            static_cast<double>(Metrics::kMaxModels) + 1);
  const auto count =
      std::count(scrape.names.begin(), scrape.names.end(), "tulou_http_responses_total");
  EXPECT_EQ(static_cast<size_t>(count), Metrics::kMaxResponses);
}

TEST(Metrics, HistogramEdges) {
  const std::vector<double> bounds = {1, 2};
  Histogram histogram(bounds);
  for (const double value : {-1.0, 1.0, 1.5, 2.0, 3.0, std::numeric_limits<double>::infinity()})
    histogram.observe(value);
  histogram.observe(std::nan(""));
  EXPECT_EQ(histogram.counts(), (std::vector<uint64_t>{2, 2, 2}));
}

TEST(Metrics, ManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) {
        metrics.model("m").generation_tokens.add();
        metrics.model("m").inter_token_latency.observe(0.01);
        metrics.count_response("/", 200);
        if (n % 500 == 0) metrics.text();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.model("m").generation_tokens.value(), 8000);
  EXPECT_EQ(
      parse(metrics.text()).samples.at("tulou_inter_token_latency_seconds_count{model_name=\"m\"}"),
      8000);
}

}  // namespace
}  // namespace tulou::serve
