// Mixes and fallbacks against llama.cpp's, on the names of a dense, a hybrid and a sparse model.
#include "quantize/type_choice.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tulou::quantize {
namespace {

using tensor::DType;

SourceTensor tensor(std::string name, const tensor::Shape& shape) {
  SourceTensor made;
  made.name = std::move(name);
  made.shape = shape;
  return made;
}

// `num_layers` layers of a dense model of this width, with embedding and, if wanted, a head.
std::vector<SourceTensor> dense(int num_layers, int64_t width, bool tied) {
  std::vector<SourceTensor> tensors = {tensor("token_embd.weight", {1000, width})};
  for (int i = 0; i < num_layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    tensors.push_back(tensor(block + "attn_norm.weight", {width}));
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"})
      tensors.push_back(tensor(block + name + ".weight", {512, width}));
    tensors.push_back(tensor(block + "ffn_down.weight", {width, 512}));
  }
  if (!tied) tensors.push_back(tensor("output.weight", {1000, width}));
  return tensors;
}

std::map<std::string, DType> chosen(const char* type, const std::vector<SourceTensor>& tensors,
                                    const ModelFacts& facts, bool has_importance = false) {
  const std::vector<DType> types =
      choose_types(*find_file_type(type), facts, has_importance, tensors);
  std::map<std::string, DType> by_name;
  for (size_t i = 0; i < tensors.size(); ++i) by_name[tensors[i].name] = types[i];
  return by_name;
}

// The layers whose tensor of this name has this type.
std::vector<int> layers_of(const std::map<std::string, DType>& types, const std::string& name,
                           DType dtype, int num_layers) {
  std::vector<int> layers;
  for (int i = 0; i < num_layers; ++i) {
    if (types.at("blk." + std::to_string(i) + "." + name + ".weight") == dtype) layers.push_back(i);
  }
  return layers;
}

constexpr ModelFacts kDense = {24, 16, 8, 0};

TEST(TypeChoice, FileTypesHaveNamesAndNumbers) {
  EXPECT_EQ(file_types().size(), 12u);
  EXPECT_EQ(find_file_type("q4_k_m")->number, 15u);
  EXPECT_EQ(find_file_type("IQ4_XS")->number, 30u);
  EXPECT_EQ(find_file_type("Q4_K"), nullptr);
  EXPECT_EQ(find_file_type(""), nullptr);
  EXPECT_TRUE(file_type_names().starts_with("Q4_0, Q4_1, "));
}

TEST(TypeChoice, WhatIsNoWeightMatrixStays) {
  EXPECT_TRUE(is_weight_matrix("blk.0.attn_q.weight", {8, 64}));
  EXPECT_TRUE(is_weight_matrix("blk.0.ffn_up_exps.weight", {4, 8, 64}));
  EXPECT_FALSE(is_weight_matrix("blk.0.attn_q.bias", {8, 64}));
  EXPECT_FALSE(is_weight_matrix("blk.0.ffn_gate_inp_shexp.weight", {64}));
  EXPECT_FALSE(is_weight_matrix("blk.0.attn_norm.weight", {2, 64}));
  EXPECT_FALSE(is_weight_matrix("blk.0.ffn_gate_inp.weight", {8, 64}));
  EXPECT_FALSE(is_weight_matrix("blk.0.ssm_conv1d.weight", {8, 4}));
  EXPECT_FALSE(is_weight_matrix("blk.0.ssm_a", {8, 4}));
}

TEST(TypeChoice, MediumMixes) {
  const std::vector<int> more = {0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23};
  for (const auto& [name, base] : {std::pair("Q4_K_M", DType::kQ4_K), {"Q5_K_M", DType::kQ5_K}}) {
    const auto types = chosen(name, dense(24, 1024, false), kDense);
    EXPECT_EQ(layers_of(types, "attn_v", DType::kQ6_K, 24), more);
    EXPECT_EQ(layers_of(types, "ffn_down", DType::kQ6_K, 24), more);
    EXPECT_EQ(layers_of(types, "ffn_up", base, 24).size(), 24u);
    EXPECT_EQ(types.at("blk.1.ffn_down.weight"), DType::kQ6_K);
    EXPECT_EQ(types.at("output.weight"), DType::kQ6_K);
    EXPECT_EQ(types.at("token_embd.weight"), base);
    EXPECT_EQ(types.at("blk.3.attn_norm.weight"), DType::kF32);
  }
}

TEST(TypeChoice, SmallMixes) {
  auto types = chosen("Q4_K_S", dense(24, 1024, true), kDense);
  EXPECT_EQ(layers_of(types, "attn_v", DType::kQ5_K, 24), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(layers_of(types, "ffn_down", DType::kQ5_K, 24), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(types.at("token_embd.weight"), DType::kQ6_K);  // it is the head too
  types = chosen("Q4_0", dense(24, 1024, true), kDense);
  EXPECT_EQ(layers_of(types, "ffn_down", DType::kQ4_0, 24).size(), 24u);
  types = chosen("Q4_0", dense(24, 1024, true), kDense, true);
  EXPECT_EQ(layers_of(types, "ffn_down", DType::kQ4_1, 24), (std::vector<int>{0, 1, 2}));
  for (const char* name : {"IQ4_NL", "IQ4_XS"}) {
    types = chosen(name, dense(24, 1024, true), kDense);
    EXPECT_EQ(layers_of(types, "ffn_down", DType::kQ5_K, 24), (std::vector<int>{0, 1, 2}));
    EXPECT_TRUE(layers_of(types, "attn_v", DType::kQ5_K, 24).empty());
    types = chosen(name, dense(24, 1024, true), {24, 32, 8, 0}, true);
    EXPECT_TRUE(layers_of(types, "ffn_down", DType::kQ5_K, 24).empty());
    EXPECT_EQ(layers_of(types, "attn_v", DType::kQ5_K, 24).size(), 24u);
  }
  types = chosen("Q8_0", dense(24, 1024, true), kDense);
  EXPECT_EQ(types.at("token_embd.weight"), DType::kQ8_0);
}

TEST(TypeChoice, PlainTypesTakeEveryMatrix) {
  const auto types = chosen("BF16", dense(2, 100, false), {2, 16, 8, 0});
  EXPECT_EQ(types.at("token_embd.weight"), DType::kBF16);
  EXPECT_EQ(types.at("output.weight"), DType::kBF16);
  EXPECT_EQ(types.at("blk.0.ffn_down.weight"), DType::kBF16);
  EXPECT_EQ(types.at("blk.0.attn_norm.weight"), DType::kF32);
}

TEST(TypeChoice, RowsThatDoNotFit) {
  EXPECT_EQ(fitting_type(DType::kQ4_K, 512), DType::kQ4_K);
  EXPECT_EQ(fitting_type(DType::kQ4_K, 896), DType::kQ5_0);
  EXPECT_EQ(fitting_type(DType::kQ5_K, 896), DType::kQ5_1);
  EXPECT_EQ(fitting_type(DType::kQ6_K, 896), DType::kQ8_0);
  EXPECT_EQ(fitting_type(DType::kIQ4_XS, 896), DType::kIQ4_NL);
  EXPECT_EQ(fitting_type(DType::kQ4_K, 100), DType::kF16);
  EXPECT_EQ(fitting_type(DType::kQ8_0, 33), DType::kF16);
  const auto types = chosen("Q4_K_M", dense(24, 896, true), kDense);
  EXPECT_EQ(types.at("token_embd.weight"), DType::kQ8_0);
  EXPECT_EQ(types.at("blk.0.attn_v.weight"), DType::kQ8_0);
  EXPECT_EQ(types.at("blk.3.attn_v.weight"), DType::kQ5_0);
  EXPECT_EQ(types.at("blk.3.ffn_down.weight"), DType::kQ4_K);
}

// Value-like projections are counted over both kinds of layers, and by layer, not by place.
TEST(TypeChoice, HybridAndSparseModels) {
  std::vector<SourceTensor> tensors;
  for (int i = 7; i >= 0; --i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    tensors.push_back(
        tensor(block + (i % 4 == 3 ? "attn_v.weight" : "attn_qkv.weight"), {512, 1024}));
    tensors.push_back(tensor(block + "ffn_down_exps.weight", {4, 1024, 512}));
    tensors.push_back(tensor(block + "ffn_down_shexp.weight", {1024, 512}));
  }
  const auto types = chosen("Q4_K_M", tensors, {8, 16, 2, 4});
  // n / 8 = 1: layers 0, 7 and every third from 3 on.
  for (int i = 0; i < 8; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    const DType wanted = i == 0 || i == 3 || i == 6 || i == 7 ? DType::kQ6_K : DType::kQ4_K;
    EXPECT_EQ(types.at(block + (i % 4 == 3 ? "attn_v.weight" : "attn_qkv.weight")), wanted) << i;
    EXPECT_EQ(types.at(block + "ffn_down_exps.weight"), wanted) << i;
    EXPECT_EQ(types.at(block + "ffn_down_shexp.weight"), wanted) << i;
  }
}

// With eight experts, what all of them share is cheap to keep precise.
TEST(TypeChoice, EightExperts) {
  const auto types = chosen("Q4_K_M", dense(8, 1024, false), {8, 16, 8, 8});
  EXPECT_EQ(types.at("blk.1.attn_k.weight"), DType::kQ8_0);
  EXPECT_EQ(types.at("blk.1.attn_v.weight"), DType::kQ8_0);
  EXPECT_EQ(types.at("blk.1.attn_output.weight"), DType::kQ5_K);
  EXPECT_EQ(types.at("blk.1.attn_q.weight"), DType::kQ4_K);
}

}  // namespace
}  // namespace tulou::quantize
