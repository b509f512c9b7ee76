// quantization_config, and matrices that are stored as several tensors.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/json_value.h"
#include "checkpoint/test_files.h"
#include "kernels/quant/dequantize.h"
#include "model/quantized_matrix.h"

namespace tulou::model {
namespace {

using checkpoint::test::raw;

QuantizationConfig parsed(const std::string& text) {
  const base::Json json = base::parse_json(text, "config.json");
  const base::JsonObject whole(json, "config.json");
  return parse_quantization(whole, whole.has("text_config") ? whole.object("text_config") : whole);
}

std::string failure(const std::string& text) {
  try {
    (void)parsed(text);
  } catch (const base::Error& error) {
    return error.id();
  }
  return "";
}

TEST(QuantizationConfig, EveryMethod) {
  EXPECT_EQ(parsed("{}").method, QuantizationMethod::kNone);
  EXPECT_EQ(parsed(R"({"quantization_config":null})").method, QuantizationMethod::kNone);
  const QuantizationConfig fp8 = parsed(
      R"({"text_config":{"quantization_config":
          {"quant_method":"fp8","weight_block_size":[128,64],"modules_to_not_convert":["x"]}}})");
  EXPECT_EQ(fp8.name(), "FP8");
  EXPECT_EQ(fp8.block_rows, 128);
  EXPECT_EQ(fp8.block_columns, 64);
  const QuantizationConfig gptq = parsed(
      R"({"quantization_config":{"quant_method":"gptq","bits":8,"group_size":-1,"sym":false,
                                 "desc_act":true}})");
  EXPECT_EQ(gptq.name(), "GPTQ 8 bit");
  EXPECT_EQ(gptq.group_size, 0);
  EXPECT_EQ(gptq.zero_offset, 1);
  EXPECT_TRUE(gptq.desc_act && !gptq.symmetric);
  const auto version2 = R"({"quantization_config":{"quant_method":"gptq","bits":4,"group_size":32,
                                                   "checkpoint_format":"gptq_v2"}})";
  EXPECT_EQ(parsed(version2).zero_offset, 0);
  const QuantizationConfig awq =
      parsed(R"({"quantization_config":{"quant_method":"awq","bits":4,"group_size":64}})");
  EXPECT_EQ(awq.name(), "AWQ 4 bit");
  EXPECT_EQ(awq.zero_offset, 0);
}

TEST(QuantizationConfig, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(failure(R"({"quantization":{"bits":4}})"), "model.quantization_unsupported");
  EXPECT_EQ(failure(R"({"compression_config":{}})"), "model.quantization_unsupported");
  EXPECT_EQ(failure(R"({"quantization_config":3})"), "json.wrong_type");
  EXPECT_EQ(failure(R"({"quantization_config":{}})"), "model.quantization_unsupported");
  for (const char* name : {"compressed-tensors", "modelopt", "bitsandbytes", "auto-round", "nvfp4"})
    EXPECT_EQ(failure(R"({"quantization_config":{"quant_method":")" + std::string(name) + "\"}}"),
              "model.quantization_unsupported")
        << name;
  for (const char* options :
       {R"("fp8")", R"("fp8","weight_block_size":[128,1.5])",
        R"("fp8","weight_block_size":[128,128],"fmt":"e5m2")", R"("gptq","bits":3,"group_size":32)",
        R"("gptq","bits":4,"group_size":0)", R"("awq","bits":8,"group_size":32)",
        R"("awq","bits":4,"group_size":32,"version":"gemv")",
        R"("awq","bits":4,"group_size":32,"zero_point":false)"})
    EXPECT_EQ(failure(R"({"quantization_config":{"quant_method":)" + std::string(options) + "}}"),
              "model.unsupported_option")
        << options;
}

// A matrix m [out, in] of a checkpoint folder with these tensors, as F32.
std::vector<float> matrix(const checkpoint::test::SafetensorsBuilder& tensors,
                          const QuantizationConfig& config, int64_t out, int64_t in) {
  const checkpoint::test::TemporaryFolder folder;
  folder.write("config.json", "{}");
  folder.write("model.safetensors", tensors.build());
  const auto checkpoint = checkpoint::Checkpoint::open(folder.path());
  const QuantizedMatrix m(*checkpoint, config, "m", out, in);
  EXPECT_EQ(m.target(true), tensor::DType::kF32);
  std::vector<float> values(static_cast<size_t>(out * in));
  m.convert(0, out, tensor::DType::kF32, reinterpret_cast<std::byte*>(values.data()));
  return values;
}

TEST(QuantizedMatrix, EveryCodeOfFp8) {
  std::string codes(256, '\0');
  for (size_t i = 0; i < 256; ++i) codes[i] = static_cast<char>(i);
  const std::vector<float> scales = {2, 1};  // rows 0 and 1 of blocks of one row
  checkpoint::test::SafetensorsBuilder tensors;
  tensors.add("m.weight", "F8_E4M3", {2, 128}, codes).add("m.weight_scale_inv", {2, 1}, scales);
  QuantizationConfig config;
  config.method = QuantizationMethod::kFp8;
  config.block_rows = 1;
  config.block_columns = 128;
  const std::vector<float> values = matrix(tensors, config, 2, 128);
  EXPECT_EQ(values[0x00], 0);
  EXPECT_EQ(values[0x01], 2 * 0x1p-9f);  // the smallest
  EXPECT_EQ(values[0x07], 2 * 7 * 0x1p-9f);
  EXPECT_EQ(values[0x08], 2 * 0x1p-6f);  // the smallest normal number
  EXPECT_EQ(values[0x38], 2);
  EXPECT_EQ(values[0x7e], 2 * 448);
  EXPECT_TRUE(std::isnan(values[0x7f]) && std::isnan(values[0xff]));
  for (size_t i = 1; i < 127; ++i) EXPECT_LT(values[i - 1], values[i]);
  for (size_t i = 0; i < 127; ++i) EXPECT_EQ(values[128 + i], -values[i] / 2);
}

TEST(QuantizedMatrix, OrderOfPackedValues) {
  const float one[] = {1, 1, 1, 1, 1, 1, 1, 1};
  QuantizationConfig config;
  config.bits = 4;
  // AWQ: eight outputs in a word. Nibble k holds output order[k].
  config.method = QuantizationMethod::kAwq;
  checkpoint::test::SafetensorsBuilder awq;
  awq.add("m.qweight", "I32", {1, 1}, raw<uint32_t>(0x76543210))
      .add("m.qzeros", "I32", {1, 1}, raw<uint32_t>(0))
      .add("m.scales", {1, 8}, one);
  EXPECT_EQ(matrix(awq, config, 8, 1), (std::vector<float>{0, 4, 1, 5, 2, 6, 3, 7}));
  // GPTQ: eight inputs in a word, in order; the zero point is stored less one.
  config.method = QuantizationMethod::kGptq;
  config.zero_offset = 1;
  checkpoint::test::SafetensorsBuilder gptq;
  gptq.add("m.qweight", "I32", {1, 1}, raw<uint32_t>(0x76543210))
      .add("m.qzeros", "I32", {1, 1}, raw<uint32_t>(2))
      .add("m.scales", {1, 1}, std::span(one, 1));
  EXPECT_EQ(matrix(gptq, config, 1, 8), (std::vector<float>{-3, -2, -1, 0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace tulou::model
