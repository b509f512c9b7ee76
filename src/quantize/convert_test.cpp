// What the converter makes of the golden checkpoints: names, layouts, what changes; and checkpoints
// that do not fit. tests/quantize compares all values with another converter's.
#include "quantize/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"
#include "model/families/family.h"
#include "quantize/convert_metadata.h"
#include "quantize/source_tensor.h"

namespace tulou::quantize {
namespace {

using checkpoint::Checkpoint;
using checkpoint::test::TemporaryFolder;

struct Case {
  explicit Case(const std::string& name)
      : source(Checkpoint::open("tests/golden/cases/" + name + "/model")),
        config(model::read_config(*source)),
        tensors(convert_tensors(*source, config)) {}

  const SourceTensor& at(const std::string& name) const {
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const SourceTensor& t) { return t.name == name; });
    EXPECT_NE(found, tensors.end()) << name;
    return *found;
  }
  bool has(const std::string& name) const {
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const SourceTensor& t) { return t.name == name; });
  }
  std::vector<float> row(const std::string& name, int64_t i) const {
    const SourceTensor& tensor = at(name);
    std::vector<float> out(static_cast<size_t>(tensor.shape.width())), scratch(out.size());
    tensor.read_row(i, out.data(), scratch.data());
    return out;
  }
  // A row of a stored tensor, whose rows are of the length that is asked for.
  std::vector<float> stored(const std::string& name, int64_t i, size_t width) const {
    SourceTensor plain;
    const checkpoint::TensorEntry& entry = source->require(name);
    plain.shape = {entry.view.shape.values() / static_cast<int64_t>(width),
                   static_cast<int64_t>(width)};
    plain.parts = {{&entry, 0}};
    std::vector<float> out(width);
    plain.read_row(i, out.data(), nullptr);
    return out;
  }

  std::shared_ptr<const Checkpoint> source;
  model::ModelConfig config;
  std::vector<SourceTensor> tensors;
};

TEST(Convert, PlainModelsKeepTheirValues) {
  const Case qwen("qwen2_bias");
  EXPECT_EQ(qwen.row("blk.1.attn_q.weight", 3),
            qwen.stored("model.layers.1.self_attn.q_proj.weight", 3,
                        static_cast<size_t>(qwen.config.hidden_size)));
  EXPECT_EQ(qwen.at("blk.0.attn_k.bias").shape.rank, 1);
  EXPECT_TRUE(qwen.has("output_norm.weight"));
  EXPECT_TRUE(qwen.at("blk.0.ffn_down.weight").is_copy(tensor::DType::kF32) ||
              qwen.at("blk.0.ffn_down.weight").is_copy(tensor::DType::kBF16) ||
              qwen.at("blk.0.ffn_down.weight").is_copy(tensor::DType::kF16));
}

TEST(Convert, HeadIsThereOnlyIfTheModelHasItsOwn) {
  EXPECT_FALSE(Case("qwen3_tied").has("output.weight"));
  EXPECT_FALSE(Case("qwen3_embedding").has("output.weight"));
  EXPECT_TRUE(Case("qwen3_5_untied_r2").has("output.weight"));
}

TEST(Convert, LlamaRowsStandInPairs) {
  const Case llama("llama_tied");
  const int64_t half = llama.config.head_dim / 2, head = llama.config.head_dim;
  const auto width = static_cast<size_t>(llama.config.hidden_size);
  const std::string stored = "model.layers.0.self_attn.q_proj.weight";
  EXPECT_EQ(llama.row("blk.0.attn_q.weight", head + 2), llama.stored(stored, head + 1, width));
  EXPECT_EQ(llama.row("blk.0.attn_q.weight", head + 3),
            llama.stored(stored, head + half + 1, width));
  EXPECT_EQ(llama.row("blk.0.attn_v.weight", 5),
            llama.stored("model.layers.0.self_attn.v_proj.weight", 5, width));
}

TEST(Convert, GatedDeltaNet) {
  const Case qwen("qwen3_5_untied_r2");
  const model::ModelConfig& c = qwen.config;
  ASSERT_EQ(c.linear_num_value_heads, 2 * c.linear_num_key_heads);
  const std::string from = qwen.source->find("model.layers.0.linear_attn.A_log") != nullptr
                               ? "model.layers.0."
                               : "model.language_model.layers.0.";
  const auto heads = static_cast<size_t>(c.linear_num_value_heads);
  const auto hidden = static_cast<size_t>(c.hidden_size);
  // V head 1 of the file is the first head of key head 1: number 2 of the checkpoint.
  const std::vector<float> decay = qwen.row("blk.0.ssm_a", 0);
  EXPECT_EQ(decay[1], -std::exp(qwen.stored(from + "linear_attn.A_log", 0, heads)[2]));
  EXPECT_EQ(qwen.row("blk.0.ssm_alpha.weight", 1),
            qwen.stored(from + "linear_attn.in_proj_a.weight", 2, hidden));
  const int64_t dv = c.linear_value_head_dim;
  const int64_t keys = 2 * c.linear_num_key_heads * c.linear_key_head_dim;
  EXPECT_EQ(qwen.row("blk.0.attn_qkv.weight", keys - 1),
            qwen.stored(from + "linear_attn.in_proj_qkv.weight", keys - 1, hidden));
  EXPECT_EQ(qwen.row("blk.0.attn_qkv.weight", keys + dv + 3),
            qwen.stored(from + "linear_attn.in_proj_qkv.weight", keys + 2 * dv + 3, hidden));
  const auto kernel = static_cast<size_t>(c.linear_conv_kernel_dim);
  EXPECT_EQ(qwen.row("blk.0.ssm_conv1d.weight", keys + dv),
            qwen.stored(from + "linear_attn.conv1d.weight", keys + 2 * dv, kernel));
  const auto values = static_cast<size_t>(c.linear_num_value_heads * dv);
  EXPECT_EQ(
      qwen.row("blk.0.ssm_out.weight", 4)[static_cast<size_t>(dv)],
      qwen.stored(from + "linear_attn.out_proj.weight", 4, values)[static_cast<size_t>(2 * dv)]);
  EXPECT_EQ(qwen.row("blk.0.attn_norm.weight", 0)[7],
            qwen.stored(from + "input_layernorm.weight", 0, hidden)[7] + 1);
  EXPECT_EQ(qwen.row("blk.0.ssm_norm.weight", 0)[3],
            qwen.stored(from + "linear_attn.norm.weight", 0, static_cast<size_t>(dv))[3]);
  EXPECT_TRUE(qwen.has("blk.0.post_attention_norm.weight"));
}

TEST(Convert, ExpertsAreStacked) {
  for (const char* name : {"qwen3_moe", "qwen3_5_moe", "qwen3_next"}) {
    const Case moe(name);
    const SourceTensor& up = moe.at("blk.0.ffn_up_exps.weight");
    EXPECT_EQ(up.shape, (tensor::Shape{moe.config.num_experts, moe.config.moe_intermediate_size,
                                       moe.config.hidden_size}));
    EXPECT_EQ(static_cast<int64_t>(up.parts.size()), moe.config.num_experts);
    EXPECT_TRUE(moe.has("blk.0.ffn_gate_inp.weight"));
  }
}

TEST(Convert, DraftLayersStandBehindTheLast) {
  const Case qwen("qwen3_5_untied_r2");
  const int64_t num = num_draft_layers(*qwen.source);
  ASSERT_EQ(num, 1);
  const std::string block = "blk." + std::to_string(qwen.config.num_hidden_layers()) + ".";
  EXPECT_TRUE(qwen.has(block + "attn_q.weight"));
  EXPECT_EQ(qwen.row(block + "nextn.hnorm.weight", 0)[0],
            qwen.stored("mtp.pre_fc_norm_hidden.weight", 0,
                        static_cast<size_t>(qwen.config.hidden_size))[0] +
                1);
}

TEST(Convert, CheckpointsThatDoNotFit) {
  const TemporaryFolder folder;
  const auto failure = [&](const char* id, const std::function<void(model::ModelConfig&)>& change) {
    const auto source = Checkpoint::open("tests/golden/cases/qwen3_tied/model");
    model::ModelConfig config = model::read_config(*source);
    change(config);
    checkpoint::test::error_of(id, [&] { convert_tensors(*source, config); });
  };
  failure("model.tensor_shape", [](auto& config) { config.hidden_size += 32; });
  failure("checkpoint.missing_tensor", [](auto& config) { config.layers.emplace_back(); });
  failure("model.extra_tensor", [](auto& config) { config.layers.pop_back(); });
  failure("checkpoint.missing_tensor", [](auto& config) { config.attention_bias = true; });
}

// llama.cpp does not load a Qwen3.5 without the key.
TEST(ConvertMetadata, Qwen35AlwaysHasRopeSections) {
  const TemporaryFolder folder;
  const auto source = Checkpoint::open("tests/golden/cases/qwen3_5_tied_r1/model");
  model::ModelConfig config = model::read_config(*source);
  const auto sections = [&] {
    checkpoint::GgufWriter writer;
    write_model_keys(writer, *source, config, 0);
    writer.begin(folder.file("x.gguf"));
    writer.commit();
    const auto file = Checkpoint::open(folder.file("x.gguf"));
    return file->metadata().integers("qwen35.rope.dimension_sections", 0, 99);
  };
  EXPECT_EQ(sections()[0], config.rope.mrope_section[0]);
  config.rope.mrope_section = {0, 0, 0};
  EXPECT_EQ(sections(), (std::vector<int64_t>{config.rope.rotary_dim / 2, 0, 0, 0}));
  config.rope.rotary_dim = 64;
  EXPECT_EQ(sections(), (std::vector<int64_t>{11, 11, 10, 0}));
}

TEST(ConvertMetadata, VocabularyIsFilledUp) {
  const TemporaryFolder folder;
  const auto source = Checkpoint::open("tests/golden/cases/qwen3_tied/model");
  const model::ModelConfig config = model::read_config(*source);
  const auto written = [&](const Vocabulary* vocabulary) {
    checkpoint::GgufWriter writer;
    write_model_keys(writer, *source, config, 0);
    write_vocabulary(writer, vocabulary, *source, config);
    writer.begin(folder.file("x.gguf"));
    writer.commit();
    return Checkpoint::open(folder.file("x.gguf"));
  };
  Vocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "<|x|>"};
  vocabulary.types = {kNormalToken, kNormalToken, kControlToken};
  vocabulary.merges = {"a b"};
  vocabulary.pre = "qwen2";
  vocabulary.pad = 2;
  vocabulary.chat_template = "{{ x }}";
  const auto file = written(&vocabulary);
  const checkpoint::GgufMetadata& keys = file->metadata();
  EXPECT_EQ(keys.string("general.architecture"), "qwen3");
  EXPECT_EQ(keys.integer("qwen3.block_count", 0, 1000), config.num_hidden_layers());
  const auto tokens = keys.strings("tokenizer.ggml.tokens");
  EXPECT_EQ(static_cast<int64_t>(tokens.size()), config.vocab_size);
  EXPECT_EQ(tokens[2], "<|x|>");
  EXPECT_EQ(tokens[3], "[PAD3]");
  EXPECT_EQ(keys.integers("tokenizer.ggml.token_type", 0, 9)[3], kUnusedToken);
  EXPECT_EQ(keys.integer("tokenizer.ggml.padding_token_id", 0, 9), 2);
  EXPECT_EQ(keys.string("tokenizer.chat_template"), "{{ x }}");
  const auto without = written(nullptr);
  EXPECT_EQ(without->metadata().string("tokenizer.ggml.model"), "none");
  EXPECT_EQ(without->metadata().integer("qwen3.vocab_size", 0, INT64_MAX), config.vocab_size);
  vocabulary.tokens.resize(static_cast<size_t>(config.vocab_size) + 1);
  checkpoint::test::error_of("quantize.vocabulary_too_large", [&] { written(&vocabulary); });
}

}  // namespace
}  // namespace tulou::quantize
