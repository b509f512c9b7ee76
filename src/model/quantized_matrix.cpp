#include "model/quantized_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "base/error.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/requantize.h"
#include "model/stored_tensors.h"
#include "tensor/block_formats.h"

namespace tulou::model {
namespace {

using checkpoint::TensorEntry;
using tensor::DType;

constexpr int64_t kBlock = 32;     // columns of a block of the types that it becomes
constexpr int64_t kTileRows = 64;  // rows that are unpacked together

// Which output column of a word the nibble k holds in AWQ's files.
constexpr std::array<int64_t, 8> kAwqOrder = {0, 2, 4, 6, 1, 3, 5, 7};

// The values of e4m3fn: bias 7, no infinities, one NaN (Micikevicius et al., 2022, arXiv
// 2209.05433).
constexpr float e4m3_to_float(uint32_t code) {
  const uint32_t exponent = code >> 3 & 15, mantissa = code & 7;
  float value = static_cast<float>(mantissa) * 0x1p-9f;
  if (exponent != 0) value = std::bit_cast<float>((exponent + 120) << 23 | mantissa << 20);
  if ((code & 127) == 127) value = std::bit_cast<float>(0x7fc00000u);
  return (code & 128) != 0 ? -value : value;
}
constexpr auto kE4m3Values = [] {
  std::array<float, 256> values = {};
  for (uint32_t code = 0; code < 256; ++code) values[code] = e4m3_to_float(code);
  return values;
}();

uint32_t word_at(const std::byte* data, int64_t index) {
  uint32_t word;
  std::memcpy(&word, data + index * 4, sizeof word);
  return word;
}

}  // namespace

bool QuantizedMatrix::is_stored(const checkpoint::Checkpoint& checkpoint,
                                const QuantizationConfig& config, const std::string& module) {
  switch (config.method) {
    case QuantizationMethod::kNone:
      return false;
    case QuantizationMethod::kFp8: {
      const TensorEntry* weight = checkpoint.find(module + ".weight");
      return weight != nullptr && weight->stored_dtype == "F8_E4M3";
    }
    case QuantizationMethod::kGptq:
    case QuantizationMethod::kAwq:
      return checkpoint.find(module + ".qweight") != nullptr;
  }
  return false;
}

QuantizedMatrix::QuantizedMatrix(const checkpoint::Checkpoint& checkpoint,
                                 const QuantizationConfig& config, const std::string& module,
                                 int64_t out, int64_t in)
    : checkpoint_(checkpoint), config_(config), out_(out), in_(in) {
  if (config.method == QuantizationMethod::kFp8) {
    open_fp8(module);
  } else {
    open_groups(module);
  }
}

const TensorEntry& QuantizedMatrix::part(const std::string& name, std::string_view stored_dtype) {
  const TensorEntry* entry = checkpoint_.find(name);
  // require() reports that it is missing; or its type, unless that could be computed with.
  if (entry == nullptr) return checkpoint_.require(name);
  if (entry->stored_dtype != stored_dtype)
    throw base::Error("checkpoint.dtype_unsupported", checkpoint_.file_path(entry->file_index),
                      name, entry->offset, entry->stored_dtype);
  parts_.push_back(entry);
  return *entry;
}

void QuantizedMatrix::check_shape(const TensorEntry& entry, int64_t rows, int64_t columns) const {
  const tensor::Shape& shape = entry.view.shape;
  if (shape.rank == 2 && shape[0] == rows && shape[1] == columns) return;
  wrong_shape(checkpoint_, entry, {rows, columns});
}

std::vector<float> QuantizedMatrix::scales(const std::string& name, int64_t rows, int64_t columns) {
  const TensorEntry& entry = checkpoint_.require(name);
  parts_.push_back(&entry);
  check_shape(entry, rows, columns);
  std::vector<float> values(static_cast<size_t>(rows * columns));
  kernels::dequantize_row(entry.view.dtype, entry.view.data, values.data(), rows * columns);
  return values;
}

void QuantizedMatrix::open_fp8(const std::string& module) {
  const TensorEntry& weight = part(module + ".weight", "F8_E4M3");
  check_shape(weight, out_, in_);
  weight_ = checkpoint_.data(weight).data();
  scales_ =
      scales(module + ".weight_scale_inv", (out_ + config_.block_rows - 1) / config_.block_rows,
             (in_ + config_.block_columns - 1) / config_.block_columns);
}

void QuantizedMatrix::open_groups(const std::string& module) {
  const int64_t per_word = 32 / config_.bits;
  group_size_ = config_.group_size == 0 ? in_ : config_.group_size;
  const TensorEntry& weight = part(module + ".qweight", "I32");
  const TensorEntry& zeros = part(module + ".qzeros", "I32");
  if (config_.method == QuantizationMethod::kGptq) {
    check_shape(weight, (in_ + per_word - 1) / per_word, out_);
  } else {
    check_shape(weight, in_, (out_ + per_word - 1) / per_word);
  }
  check_shape(zeros, groups(), (out_ + per_word - 1) / per_word);
  weight_ = checkpoint_.data(weight).data();
  scales_ = scales(module + ".scales", groups(), out_);
  read_zeros(zeros);
  read_group_index(module);
  find_blocks();
}

void QuantizedMatrix::read_zeros(const TensorEntry& entry) {
  const std::byte* data = checkpoint_.data(entry).data();
  const int64_t per_word = 32 / config_.bits, words = (out_ + per_word - 1) / per_word;
  const uint32_t mask = (1u << config_.bits) - 1;
  zeros_.resize(static_cast<size_t>(groups() * out_));
  for (int64_t g = 0; g < groups(); ++g) {
    for (int64_t c = 0; c < words; ++c) {
      const uint32_t word = word_at(data, g * words + c);
      for (int64_t k = 0; k < per_word; ++k) {
        const auto place = static_cast<size_t>(k);
        const int64_t o =
            c * per_word + (config_.method == QuantizationMethod::kAwq ? kAwqOrder[place] : k);
        if (o >= out_) continue;
        const uint32_t stored = word >> (static_cast<uint32_t>(config_.bits) * k) & mask;
        zeros_[static_cast<size_t>(g * out_ + o)] =
            static_cast<int32_t>(stored) + config_.zero_offset;
      }
    }
  }
}

void QuantizedMatrix::read_group_index(const std::string& module) {
  group_.resize(static_cast<size_t>(in_));
  for (int64_t i = 0; i < in_; ++i)
    group_[static_cast<size_t>(i)] = static_cast<int32_t>(i / group_size_);
  const std::string name = module + ".g_idx";
  if (config_.method != QuantizationMethod::kGptq) return;
  if (!config_.desc_act && checkpoint_.find(name) == nullptr) return;
  const TensorEntry& entry = part(name, "I32");
  if (entry.view.shape.rank != 1 || entry.view.shape[0] != in_)
    wrong_shape(checkpoint_, entry, {in_});
  const std::byte* data = checkpoint_.data(entry).data();
  for (int64_t i = 0; i < in_; ++i) {
    const auto group = static_cast<int32_t>(word_at(data, i));
    if (group < 0 || group >= groups())
      throw base::Error("model.bad_group_index", checkpoint_.file_path(entry.file_index), name,
                        entry.offset, i, group, groups());
    group_[static_cast<size_t>(i)] = group;
  }
}

void QuantizedMatrix::find_blocks() {
  const int32_t middle = 1 << (config_.bits - 1);
  middle_zeros_ =
      std::all_of(zeros_.begin(), zeros_.end(), [=](int32_t zero) { return zero == middle; });
  whole_blocks_ = in_ % kBlock == 0;
  for (size_t i = 0; whole_blocks_ && i < group_.size(); ++i)
    whole_blocks_ = group_[i] == group_[i / kBlock * kBlock];
}

DType QuantizedMatrix::target(bool exact) const {
  if (exact || in_ % kBlock != 0) return DType::kF32;
  if (!whole_blocks_ || config_.bits == 8) return DType::kQ8_0;
  return middle_zeros_ ? DType::kQ4_0 : DType::kQ4_1;
}

void QuantizedMatrix::convert(int64_t begin, int64_t end, DType to, std::byte* out) const {
  const size_t row_bytes = tensor::row_bytes(to, in_);
  const bool fp8 = config_.method == QuantizationMethod::kFp8;
  const bool packed =
      !fp8 && to != DType::kF32 && whole_blocks_ && (config_.bits == 4 || middle_zeros_);
  std::vector<float> values(packed ? 0 : static_cast<size_t>(in_));
  std::vector<uint8_t> codes(fp8 ? 0 : static_cast<size_t>(kTileRows * in_));
  for (int64_t row = begin; row < end; ++row, out += row_bytes) {
    const int64_t tile = (row - begin) % kTileRows;
    if (!fp8 && tile == 0) unpack(row, std::min(end, row + kTileRows), codes.data());
    const uint8_t* q = fp8 ? nullptr : codes.data() + tile * in_;
    if (packed) {
      pack_row(row, q, to, out);
      continue;
    }
    if (fp8) {
      fp8_row(row, values.data());
    } else {
      group_row(row, q, values.data());
    }
    if (to == DType::kF32) {
      std::memcpy(out, values.data(), row_bytes);
    } else {
      kernels::encode_q8_0(values.data(), in_, out);
    }
  }
}

void QuantizedMatrix::fp8_row(int64_t row, float* values) const {
  const int64_t size = config_.block_columns, blocks = (in_ + size - 1) / size;
  const float* scale = scales_.data() + row / config_.block_rows * blocks;
  const std::byte* codes = weight_ + row * in_;
  for (int64_t i = 0; i < in_; ++i)
    values[i] = kE4m3Values[static_cast<uint8_t>(codes[i])] * scale[i / size];
}

// Codes of rows [begin, end) of the matrix, [end - begin, in]. The words lie with the outputs side
// by side, so a tile of outputs reads whole cache lines.
void QuantizedMatrix::unpack(int64_t begin, int64_t end, uint8_t* q) const {
  const int64_t per_word = 32 / config_.bits;
  const auto bits = static_cast<uint32_t>(config_.bits);
  const uint32_t mask = (1u << bits) - 1;
  if (config_.method == QuantizationMethod::kGptq) {
    for (int64_t w = 0; w * per_word < in_; ++w) {
      const int64_t count = std::min(per_word, in_ - w * per_word);
      for (int64_t o = begin; o < end; ++o) {
        const uint32_t word = word_at(weight_, w * out_ + o);
        uint8_t* to = q + (o - begin) * in_ + w * per_word;
        for (int64_t k = 0; k < count; ++k) to[k] = static_cast<uint8_t>(word >> (bits * k) & mask);
      }
    }
    return;
  }
  const int64_t words = (out_ + per_word - 1) / per_word;
  for (int64_t i = 0; i < in_; ++i) {
    for (int64_t c = begin / per_word; c * per_word < end; ++c) {
      const uint32_t word = word_at(weight_, i * words + c);
      for (int64_t k = 0; k < per_word; ++k) {
        const int64_t o = c * per_word + kAwqOrder[static_cast<size_t>(k)];
        if (o >= begin && o < end)
          q[(o - begin) * in_ + i] = static_cast<uint8_t>(word >> (bits * k) & mask);
      }
    }
  }
}

void QuantizedMatrix::group_row(int64_t row, const uint8_t* q, float* values) const {
  for (int64_t i = 0; i < in_; ++i) {
    const size_t place = at_group(i, row);
    values[i] = scales_[place] * static_cast<float>(q[i] - zeros_[place]);
  }
}

// Blocks of 32 columns with one scale and zero point each: the codes stay what they are.
void QuantizedMatrix::pack_row(int64_t row, const uint8_t* q, DType to, std::byte* out) const {
  for (int64_t i = 0; i < in_; i += kBlock, q += kBlock) {
    const size_t place = at_group(i, row);
    const float scale = scales_[place];
    const auto pairs = [q](size_t j) { return static_cast<uint8_t>(q[j] | q[j + 16] << 4); };
    const auto put = [&out](const auto& block) {
      std::memcpy(out, &block, sizeof block);
      out += sizeof block;
    };
    if (to == DType::kQ8_0) {
      tensor::BlockQ8_0 block;
      block.d = kernels::saturated_fp16(scale);
      for (size_t j = 0; j < kBlock; ++j) block.qs[j] = static_cast<int8_t>(q[j] - 128);
      put(block);
    } else if (to == DType::kQ4_0) {
      tensor::BlockQ4_0 block;
      block.d = kernels::saturated_fp16(scale);
      for (size_t j = 0; j < 16; ++j) block.qs[j] = pairs(j);
      put(block);
    } else {
      ASSERT(to == DType::kQ4_1);
      tensor::BlockQ4_1 block;
      block.d = kernels::saturated_fp16(scale);
      block.m = kernels::saturated_fp16(-scale * static_cast<float>(zeros_[place]));
      for (size_t j = 0; j < 16; ++j) block.qs[j] = pairs(j);
      put(block);
    }
  }
}

}  // namespace tulou::model
