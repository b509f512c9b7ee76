// The parts of `tulou bench` (bench.cpp as a whole is run by tests/e2e/compare.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/json_value.h"
#include "cli/bench_report.h"
#include "cli/bench_runner.h"
#include "cli/bench_svg.h"
#include "cli/bench_weights.h"
#include "cli/option_value.h"
#include "cli/session.h"

namespace tulou::cli {
namespace {

constexpr const char* kHybrid = "tests/golden/cases/qwen3_5_tied_r1/model";
constexpr const char* kSparse = "tests/golden/cases/qwen3_5_moe/model";

Session open(const char* path) {
  ModelSettings settings;
  settings.threads = 2;
  base::NoProgress progress;
  return Session(path, settings, Precision::kDefault, progress);
}

std::vector<WeightGroup> groups_of(const Session& session) {
  return weight_groups(session.model(), session.kernels(), session.precision());
}

Measurement decode_of(const std::vector<double>& seconds, int64_t batch = 1) {
  Measurement measurement = {.kind = BenchKind::kDecode, .tokens = 10, .batch = batch};
  for (const double s : seconds) measurement.samples.push_back({s, 0.25});
  return measurement;
}

BenchReport report_of() {
  BenchReport report;
  report.model = "models/<a & \"b\">.gguf";
  report.family = "qwen3";
  report.processor = "Processor 9000";
  report.level = "avx2";
  report.threads = 2;
  report.bandwidth = 20e9;
  report.peak_memory_bytes = 1 << 30;
  report.groups.push_back({"mlp", "Q4_0", "avx2 Q4_0", 3, 1000, 1000});
  Measurement prefill = {.kind = BenchKind::kPrefill, .tokens = 512};
  prefill.samples = {{1.0, std::nullopt}, {2.0, std::nullopt}};
  Measurement decode = decode_of({1, 2, 4});
  decode.bytes_per_token = 2'000'000'000;
  report.measurements = {prefill, decode};
  return report;
}

TEST(BenchSpread, OddAndEvenNumbers) {
  const Spread odd = spread_of(std::vector<double>{5, 1, 3});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 5);
  EXPECT_EQ(spread_of(std::vector<double>{4, 1, 2, 8}).median, 3);
  EXPECT_EQ(spread_of(std::vector<double>{7}).median, 7);
}

TEST(BenchMeasurement, NamesAndSpeeds) {
  Measurement measurement = decode_of({2, 5}, 16);
  measurement.depth = 4096;
  EXPECT_EQ(measurement.name(), "decode 10 at depth 4096, 16 sequences");
  EXPECT_EQ(measurement.tokens_per_second(), (std::vector<double>{80, 32}));
  measurement = {.kind = BenchKind::kPrefill, .tokens = 512};
  EXPECT_EQ(measurement.name(), "prefill 512");
  EXPECT_EQ(measurement_line(decode_of({1, 2, 4})),
            "decode 10: from 2.5 to 10.0, median 5.0 tok/s");
}

TEST(BenchReport, ShareOfTheBandwidth) {
  BenchReport report = report_of();
  EXPECT_DOUBLE_EQ(report.bandwidth_share(report.measurements[1]).value(), 0.5);
  EXPECT_FALSE(report.bandwidth_share(report.measurements[0]));  // its bytes were not counted
  report.bandwidth = 0;
  EXPECT_FALSE(report.bandwidth_share(report.measurements[1]));
}

TEST(BenchReport, JsonHasEverySample) {
  const base::Json json = bench_json(report_of());
  const base::Json& decode = json["measurements"][1];
  EXPECT_EQ(decode["what"], "decode");
  EXPECT_EQ(decode["tokens_per_second"]["median"], 5.0);
  EXPECT_EQ(decode["tokens_per_second"]["min"], 2.5);
  EXPECT_EQ(decode["samples"].size(), 3u);
  EXPECT_EQ(decode["samples"][2]["seconds"], 4.0);
  EXPECT_EQ(decode["samples"][2]["others"], 0.25);
  EXPECT_EQ(decode["bandwidth_share"], 0.5);
  EXPECT_TRUE(json["measurements"][0]["bandwidth_share"].is_null());
  EXPECT_TRUE(json["measurements"][0]["samples"][0]["others"].is_null());
  EXPECT_EQ(json["weights"][0]["kernel"], "avx2 Q4_0");
  EXPECT_EQ(json["level"], "avx2");
  EXPECT_FALSE(json["version"].get<std::string>().empty());
}

TEST(BenchReport, TextForPeopleAndLogs) {
  const std::string table = bench_table(report_of());
  for (const char* part : {"prefill 512", "decode 10", "50 %", "20.0 GB/s", "Q4_0", "1.0 GiB"})
    EXPECT_NE(table.find(part), std::string::npos) << part << table;
  const std::string notes = bench_notes(report_of());
  EXPECT_NE(notes.find("50 % of the bandwidth"), std::string::npos) << notes;
  EXPECT_EQ(notes.find("tok/s"), std::string::npos) << "speeds belong to standard output";
}

TEST(BenchSvg, HoldsBarsAndIsClean) {
  const std::string svg = bench_svg(report_of());
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg;
  EXPECT_TRUE(svg.ends_with("</svg>\n")) << svg;
  EXPECT_NE(svg.find("&lt;a &amp; &quot;b&quot;&gt;.gguf"), std::string::npos) << svg;
  EXPECT_NE(svg.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(svg.find("Processor 9000, avx2, 2 threads"), std::string::npos);
  EXPECT_LT(svg.find("prefill 512"), svg.find("decode 10"));
  EXPECT_NE(svg.find("y=\"70\" width=\"277.5\" height=\"16\""), std::string::npos) << "prefill";
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find("href"), std::string::npos);
  // The greatest value of each kind is at the right end; the median of 2.5, 5 and 10 in the middle.
  EXPECT_NE(svg.find("width=\"185.0\" height=\"16\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("5.0 tok/s"), std::string::npos);
  EXPECT_EQ(svg_text("a\x1b[m"), "a\\x1b[m");
}

TEST(BenchSvg, NothingMeasuredIsStillADocument) {
  EXPECT_TRUE(bench_svg(BenchReport()).ends_with("</svg>\n"));
}

TEST(BenchWeights, GroupsByName) {
  EXPECT_EQ(weight_group("embed_tokens"), "embedding");
  EXPECT_EQ(weight_group("lm_head"), "head");
  EXPECT_EQ(weight_group("layers.3.self_attn.q_proj"), "attention");
  EXPECT_EQ(weight_group("layers.0.linear_attn.in_proj_qkv"), "delta net");
  EXPECT_EQ(weight_group("layers.0.mlp.gate_proj"), "mlp");
  EXPECT_EQ(weight_group("layers.0.mlp.gate"), "experts");
  EXPECT_EQ(weight_group("layers.0.mlp.experts.7.up_proj"), "experts");
  EXPECT_EQ(weight_group("layers.0.mlp.shared_expert.up_proj"), "experts");
  EXPECT_EQ(weight_group("layers.0.mlp.shared_expert_gate"), "experts");
}

TEST(BenchWeights, CountsAllMatricesOnce) {
  for (const char* path : {kHybrid, kSparse}) {
    const Session session = open(path);
    uint64_t matrices = 0, bytes = 0, grouped = 0, grouped_bytes = 0;
    session.model().weights().visit([&](const std::string&, const nn::Linear& linear) {
      ++matrices;
      bytes += linear.bytes();
    });
    for (const WeightGroup& group : groups_of(session)) {
      grouped += group.matrices;
      grouped_bytes += group.bytes;
      EXPECT_LE(group.bytes_per_token, group.bytes) << group.name;
      EXPECT_FALSE(group.kernel.empty());
    }
    EXPECT_EQ(grouped, matrices) << path;
    EXPECT_EQ(grouped_bytes, bytes) << path;
  }
}

TEST(BenchWeights, ATokenReadsTheTiedHeadAndItsExperts) {
  const Session tied = open(kHybrid);
  bool found = false;
  for (const WeightGroup& group : groups_of(tied)) {
    EXPECT_NE(group.name, "embedding");
    found = found || group.name == "embedding and head";
    if (group.name == "embedding and head") {
      EXPECT_EQ(group.bytes_per_token, group.bytes);
    }
  }
  EXPECT_TRUE(found);
  const Session sparse = open(kSparse);
  ASSERT_LT(sparse.config().num_experts_per_tok, sparse.config().num_experts);
  for (const WeightGroup& group : groups_of(sparse)) {
    if (group.name == "experts") {
      EXPECT_LT(group.bytes_per_token, group.bytes);
    }
  }
}

TEST(BenchWeights, BytesOfADecodedToken) {
  const std::vector<WeightGroup> groups = {{"mlp", "F32", "k", 1, 100, 100},
                                           {"experts", "F32", "k", 8, 800, 100}};
  model::CachePlan plan;
  plan.block_bytes = 64 * 10;
  plan.slot_bytes = 7;
  EXPECT_EQ(decode_bytes(groups, plan, 0), 214u);
  EXPECT_EQ(decode_bytes(groups, plan, 1000), 10214u);
}

TEST(BenchRunner, IdsAreInTheVocabularyAndRepeat) {
  const std::vector<int32_t> ids = random_ids(1000, 320, 1);
  EXPECT_EQ(ids, random_ids(1000, 320, 1));
  EXPECT_NE(ids, random_ids(1000, 320, 2));
  EXPECT_GE(*std::min_element(ids.begin(), ids.end()), 0);
  EXPECT_LT(*std::max_element(ids.begin(), ids.end()), 320);
}

TEST(BenchRunner, MeasuresPromptsAndDecoding) {
  for (const char* path : {kHybrid, kSparse, "tests/golden/cases/qwen3_embedding/model"}) {
    Session session = open(path);
    base::NoProgress progress;
    const std::atomic<bool> go_on{false};
    BenchRunner runner(session, go_on, progress);
    runner.first_token(3);
    const Measurement prefill = runner.prefill(20, 3);
    EXPECT_EQ(prefill.samples.size(), 3u);
    EXPECT_EQ(prefill.name(), "prefill 20");
    const Measurement decode = runner.decode(4, 70, 3, 2);
    EXPECT_EQ(decode.samples.size(), 2u);
    EXPECT_EQ(decode.name(), "decode 4 at depth 70, 3 sequences");
    for (const double speed : decode.tokens_per_second()) EXPECT_GT(speed, 0);
    EXPECT_EQ(runner.decode(1, 0, 1, 1).samples.size(), 1u);
  }
}

TEST(BenchRunner, StopsWhenAsked) {
  Session session = open(kHybrid);
  base::NoProgress progress;
  const std::atomic<bool> stop{true};
  BenchRunner runner(session, stop, progress);
  try {
    runner.prefill(20, 3);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), "run.cancelled");
  }
}

TEST(IntegerList, Values) {
  EXPECT_EQ(integer_list("--depth", "0,4096", 0, 9999, 4), (std::vector<int64_t>{0, 4096}));
  EXPECT_EQ(integer_list("--depth", "7", 0, 9999, 1), (std::vector<int64_t>{7}));
  for (const char* bad : {"", ",", "1,", ",1", "1,,2", "1;2", "1, 2", "10000", "-1", "1,2,3"}) {
    try {
      integer_list("--depth", bad, 0, 9999, 2);
      FAIL() << bad;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.id(), "cli.bad_value") << bad;
    }
  }
}

}  // namespace
}  // namespace tulou::cli
