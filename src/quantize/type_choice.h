// Which type each tensor of a file gets: llama.cpp's mixes and fallbacks, so that a file of a name
// is of the size and quality that people expect from that name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "quantize/file_type.h"
#include "quantize/source_tensor.h"
#include "tensor/dtype.h"

namespace tulou::quantize {

// What the rules ask about the model.
struct ModelFacts {
  int64_t num_blocks = 0;  // layers, those for drafts included
  int64_t num_attention_heads = 1;
  int64_t num_key_value_heads = 1;
  int64_t num_experts = 0;
};

// Whether a tensor is one of the matrices that the file's type is for: not vectors, norms, the
// router of experts, the convolution.
bool is_weight_matrix(std::string_view name, const tensor::Shape& shape);

// The layer of a name such as "blk.7.attn_q.weight"; -1 for others.
int64_t block_of(std::string_view name);

// A type that fits rows of `width`: `wanted`, or what llama.cpp takes instead.
tensor::DType fitting_type(tensor::DType wanted, int64_t width);

// One type a tensor, in their order. Source: llama.cpp 0.5.0, src/llama-quant.cpp.
std::vector<tensor::DType> choose_types(const FileType& type, const ModelFacts& facts,
                                        bool has_importance, std::span<const SourceTensor> tensors);

}  // namespace tulou::quantize
