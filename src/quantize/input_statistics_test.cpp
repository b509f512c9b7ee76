// Statistics of inputs: names of places, and sums against what a forward pass shows by other means.
#include "quantize/input_statistics.h"

#include <gtest/gtest.h>

#include "checkpoint/checkpoint.h"
#include "kernels/kernels.h"
#include "model/families/family.h"
#include "quantize/convert.h"

namespace tulou::quantize {
namespace {

using checkpoint::Checkpoint;

TEST(GgufPlace, NamesOfMatrices) {
  model::ModelConfig config;
  config.num_experts = 8;
  const auto name = [&](const char* from) {
    const auto place = gguf_place(config, from);
    return place ? place->tensor : "";
  };
  EXPECT_EQ(name("layers.3.self_attn.o_proj"), "blk.3.attn_output.weight");
  EXPECT_EQ(name("layers.0.linear_attn.in_proj_a"), "blk.0.ssm_alpha.weight");
  EXPECT_EQ(name("layers.0.mlp.gate"), "blk.0.ffn_gate_inp.weight");
  EXPECT_EQ(name("embed_tokens"), "");
  EXPECT_EQ(name("lm_head"), "");
  const auto expert = gguf_place(config, "layers.12.mlp.experts.5.down_proj");
  ASSERT_TRUE(expert);
  EXPECT_EQ(expert->tensor, "blk.12.ffn_down_exps.weight");
  EXPECT_EQ(expert->index, 5);
  EXPECT_EQ(expert->count, 8);
  config.model_type = "qwen3_next";
  EXPECT_EQ(name("layers.0.linear_attn.in_proj_b"), "blk.0.ssm_ba.weight");
  EXPECT_EQ(name("layers.0.linear_attn.in_proj_a"), "");
}

// Every place of every family is a tensor of the file that the converter makes, of its width.
TEST(InputCollector, PlacesAreTensorsOfTheFile) {
  for (const char* name : {"llama_tied", "qwen2_bias", "qwen3_tied", "qwen3_moe", "qwen3_next",
                           "qwen3_5_tied_r1", "qwen3_5_untied_r2", "qwen3_5_moe"}) {
    const auto source = Checkpoint::open("tests/golden/cases/" + std::string(name) + "/model");
    base::NoProgress progress;
    const auto model = model::Model::load(*source, progress);
    const InputStatistics statistics = InputCollector(*model).statistics();
    const std::vector<SourceTensor> tensors = convert_tensors(*source, model->config());
    size_t num_found = 0;
    for (const SourceTensor& tensor : tensors) {
      const auto found = statistics.find(tensor.name);
      if (found == statistics.end()) continue;
      ++num_found;
      EXPECT_EQ(found->second.width, tensor.shape.width()) << tensor.name;
      const int64_t stack = tensor.shape.rank == 3 ? tensor.shape[0] : 1;
      EXPECT_EQ(static_cast<int64_t>(found->second.counts.size()), stack) << tensor.name;
    }
    EXPECT_EQ(num_found, statistics.size()) << name;
  }
}

TEST(InputCollector, SumsSquaresByExpert) {
  const auto source = Checkpoint::open("tests/golden/cases/qwen3_moe/model");
  base::NoProgress progress;
  const auto model = model::Model::load(*source, progress);
  InputCollector collector(*model);
  const nn::Linear& q = model->weights().layers[0].self_attn.q_proj;
  const nn::Linear& up = model->weights().layers[1].moe.experts[2].up_proj;
  const auto width = static_cast<size_t>(q.in_features());
  std::vector<float> rows(2 * width, 1.0f);
  rows[3] = 3;
  rows[width + 3] = -4;
  collector.observe(q, {rows.data(), 2, q.in_features()});
  collector.observe(up, {rows.data(), 1, up.in_features()});
  const nn::Linear unknown;
  collector.observe(unknown, {rows.data(), 1, 1});
  const InputStatistics statistics = collector.statistics();
  const InputSquares& of_q = statistics.at("blk.0.attn_q.weight");
  EXPECT_EQ(of_q.counts, (std::vector<uint64_t>{2}));
  EXPECT_EQ(of_q.sums[0], 2);
  EXPECT_EQ(of_q.sums[3], 25);
  const InputSquares& of_up = statistics.at("blk.1.ffn_up_exps.weight");
  EXPECT_EQ(of_up.counts[2], 1u);
  EXPECT_EQ(of_up.counts[0], 0u);
  EXPECT_EQ(of_up.sums[2 * width + 3], 9);
  EXPECT_EQ(of_up.sums[3], 0);
}

// What goes into the output projection of a Gated DeltaNet stands in the file's order of heads.
TEST(InputCollector, ValueHeadsInTheOrderOfTheFile) {
  const auto source = Checkpoint::open("tests/golden/cases/qwen3_5_untied_r2/model");
  base::NoProgress progress;
  const auto model = model::Model::load(*source, progress);
  InputCollector collector(*model);
  const nn::Linear& out = model->weights().layers[0].linear_attn.out_proj;
  std::vector<float> row(static_cast<size_t>(out.in_features()));
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i);
  collector.observe(out, {row.data(), 1, out.in_features()});
  const InputSquares squares = collector.statistics().at("blk.0.ssm_out.weight");
  const auto dv = static_cast<size_t>(model->config().linear_value_head_dim);
  EXPECT_EQ(squares.sums[dv], static_cast<float>(4 * dv * dv));  // head 1 is the stored head 2
}

}  // namespace
}  // namespace tulou::quantize
