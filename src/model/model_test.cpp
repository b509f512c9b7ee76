// Tests of loading: configurations of every family, and weights that do not belong to them.
#include "model/model.h"
#include "base/json_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "model/families/family.h"
#include "model/rope_config.h"
#include "model/stored_tensors.h"

namespace tulou::model {
namespace {

namespace fs = std::filesystem;

// A copy of a golden checkpoint in a folder of its own, to be damaged.
class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("tulou_model_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::copy("tests/golden/cases/llama_tied/model", folder_);
    fs::permissions(folder_ / "config.json", fs::perms::owner_write, fs::perm_options::add);
    fs::permissions(folder_ / "model.safetensors", fs::perms::owner_write, fs::perm_options::add);
  }
  void TearDown() override { fs::remove_all(folder_); }

  base::Json config() { return base::read_json_file((folder_ / "config.json").string()); }
  void write_config(const base::Json& config) {
    std::ofstream(folder_ / "config.json") << base::to_json_text(config);
  }
  // Rewrites the safetensors header.
  void change_header(const std::function<void(base::Json&)>& change) {
    const std::string path = (folder_ / "model.safetensors").string();
    const std::string file = base::read_file(path, 1 << 30);
    uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    base::Json header = base::parse_json(file.substr(8, length), "header");
    change(header);
    std::string text = base::to_json_text(header);
    while (text.size() % 8 != 0) text += ' ';
    const uint64_t size = text.size();
    std::ofstream(path, std::ios::binary)
        << std::string(reinterpret_cast<const char*>(&size), 8) << text << file.substr(8 + length);
  }
  struct Failure {
    std::string id, message;
  };
  Failure load() {
    try {
      base::NoProgress progress;
      Model::load(*checkpoint::Checkpoint::open(folder_.string()), progress);
    } catch (const base::Error& error) {
      return {error.id(), error.what()};
    }
    return {"none", ""};
  }
  fs::path folder_;
};

TEST_F(ModelTest, LoadsWhatIsWhole) { EXPECT_EQ(load().id, "none"); }

TEST_F(ModelTest, NamesAnUnsupportedArchitectureAndWhatThereIs) {
  base::Json c = config();
  c["model_type"] = "mamba2";
  write_config(c);
  EXPECT_EQ(load().id, "model.unsupported_architecture");
  EXPECT_NE(load().message.find("\"mamba2\""), std::string::npos);
  EXPECT_NE(supported_families().find("qwen3_5_moe"), std::string::npos);
}

TEST_F(ModelTest, RefusesOptionsThatWouldChangeTheGraph) {
  const base::Json good = config();
  const std::vector<std::pair<std::string, base::Json>> options = {
      {"hidden_act", "gelu"},     {"use_sliding_window", true},
      {"attention_bias", true},   {"mlp_bias", true},
      {"rope_interleaved", true}, {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}}};
  for (const auto& [key, value] : options) {
    base::Json c = good;
    c[key] = value;
    write_config(c);
    EXPECT_EQ(load().id, "model.unsupported_option") << key;
  }
}

// Each number at its bounds: outside is an error, whatever else the file says.
TEST_F(ModelTest, NumbersHaveRanges) {
  const base::Json good = config();
  struct Range {
    const char* key;
    int64_t min, max;
  };
  for (const Range& range :
       {Range{"vocab_size", 1, 1 << 24}, Range{"hidden_size", 1, 1 << 18},
        Range{"num_hidden_layers", 1, 1024}, Range{"num_attention_heads", 1, 1024},
        Range{"num_key_value_heads", 1, 1024}, Range{"max_position_embeddings", 1, 1 << 30}}) {
    for (const int64_t value : {range.min - 1, range.max + 1, int64_t{-1}, INT64_MAX}) {
      base::Json c = good;
      c[range.key] = value;
      write_config(c);
      EXPECT_NE(load().id, "none") << range.key << " = " << value;
    }
    for (const base::Json& value : {base::Json("7"), base::Json(1.5), base::Json::array()}) {
      base::Json c = good;
      c[range.key] = value;
      write_config(c);
      EXPECT_EQ(load().id, "json.wrong_type") << range.key;
    }
  }
}

TEST_F(ModelTest, AMissingTensorIsNamed) {
  change_header([](base::Json& header) {
    header["model.layers.1.mlp.renamed.weight"] = header["model.layers.1.mlp.up_proj.weight"];
    header.erase("model.layers.1.mlp.up_proj.weight");
  });
  EXPECT_EQ(load().id, "checkpoint.missing_tensor");
  EXPECT_NE(load().message.find("model.layers.1.mlp.up_proj.weight"), std::string::npos);
}

TEST_F(ModelTest, AnExtraTensorIsNamed) {
  base::Json c = config();
  c["num_hidden_layers"] = c["num_hidden_layers"].get<int>() - 1;
  write_config(c);
  EXPECT_EQ(load().id, "model.extra_tensor");
  EXPECT_NE(load().message.find("model.layers.3."), std::string::npos);
}

TEST_F(ModelTest, AWrongShapeIsNamedWithBoth) {
  change_header([](base::Json& header) {
    auto& shape = header["model.layers.0.self_attn.q_proj.weight"]["shape"];
    std::swap(shape[0], shape[1]);
    shape[0] = shape[0].get<int>() * 2;
    shape[1] = shape[1].get<int>() / 2;
  });
  const Failure failure = load();
  EXPECT_EQ(failure.id, "model.tensor_shape");
  EXPECT_NE(failure.message.find("[144, 36]"), std::string::npos) << failure.message;
  EXPECT_NE(failure.message.find("[72, 72]"), std::string::npos) << failure.message;
}

TEST_F(ModelTest, ATypeThatCannotBeComputedWithIsNamed) {
  change_header([](base::Json& header) { header["model.norm.weight"]["dtype"] = "I32"; });
  EXPECT_EQ(load().id, "checkpoint.dtype_unsupported");
}

TEST(Families, EveryGoldenConfigurationIsRead) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"qwen3_5_tied_r1", "qwen3_5"}, {"qwen3_5_yarn", "qwen3_5"}, {"qwen3_5_moe", "qwen3_5_moe"},
      {"qwen3_next", "qwen3_next"},   {"qwen3_tied", "qwen3"},     {"qwen3_moe", "qwen3_moe"},
      {"qwen2_bias", "qwen2"},        {"llama_tied", "llama"},     {"qwen3_vl", "qwen3_vl"}};
  for (const auto& [name, family] : cases) {
    const auto folder = "tests/golden/cases/" + name + "/model";
    EXPECT_EQ(read_model_config(*checkpoint::Checkpoint::open(folder)).model_type, family);
  }
}

TEST(Rope, YarnOfQwen35) {
  RopeConfig config;  // the numbers of Qwen3.5 with a factor of 4
  config.rope_theta = 1e7;
  config.rotary_dim = 64;
  config.yarn = YarnConfig{.factor = 4, .original_max_position_embeddings = 262144};
  const nn::Rope rope = make_rope(config);
  EXPECT_NEAR(rope.scale, 1.1386, 1e-4);
  const auto plain = [](int i) { return std::pow(1e7, -2.0 * i / 64); };
  EXPECT_DOUBLE_EQ(rope.inv_freq[14], plain(14));      // the ramp begins here
  EXPECT_DOUBLE_EQ(rope.inv_freq[22], plain(22) / 4);  // and ends here
  EXPECT_NEAR(rope.inv_freq[18], plain(18) * (0.5 + 0.5 / 4), 1e-12);
}

TEST(Rope, InterleavedSectionsOfQwen35) {
  RopeConfig config;
  config.rotary_dim = 64;
  config.mrope_section = {11, 11, 10};
  const nn::Rope rope = make_rope(config);
  for (int i = 0; i < 32; ++i) {
    const int expected = i % 3 == 1 && i < 33 ? 1 : i % 3 == 2 && i < 30 ? 2 : 0;
    EXPECT_EQ(rope.axis[static_cast<size_t>(i)], expected) << i;
  }
}

TEST(StoredTensors, PrefixOfTheDecoder) {
  const auto of = [](std::string_view there) {
    return decoder_prefix([there](const std::string& name) { return name == there; });
  };
  EXPECT_EQ(of("model.language_model.embed_tokens.weight"), "model.language_model.");
  EXPECT_EQ(of("model.embed_tokens.weight"), "model.");
  EXPECT_EQ(of("embed_tokens.weight"), "");
  EXPECT_EQ(of("tok_embeddings.weight"), "model.");
}

// Two key heads of 2, four value heads of 1: each head stores q q, k k, v v, z z.
TEST(StoredTensors, RowsOfFusedProjections) {
  ModelConfig config;
  config.linear_num_key_heads = 2;
  config.linear_num_value_heads = 4;
  config.linear_key_head_dim = 2;
  config.linear_value_head_dim = 1;
  const FusedQkvz rows = fused_qkvz(config);
  EXPECT_EQ(rows.stored, 16);
  EXPECT_EQ(rows.qkv, (std::vector<int64_t>{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13}));
  EXPECT_EQ(rows.z, (std::vector<int64_t>{6, 7, 14, 15}));
}

}  // namespace
}  // namespace tulou::model
