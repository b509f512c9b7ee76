// From a checkpoint's tensors to those of a GGUF file: names, order and layouts as llama.cpp's
// converter writes them, which its graphs rely on.
#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/model_config.h"
#include "quantize/source_tensor.h"

namespace tulou::quantize {

// The tensors of a checkpoint folder; entries point into `checkpoint`. Its blocks for multi-token
// prediction become layers behind the last. What belongs to other parts (vision) is left out.
//
// What changes: norms of families whose norms are zero-centred get 1 added; A_log becomes
// -exp(A_log); the convolution's [C, 1, K] becomes [C, K]; value heads of Qwen3.5 run over the key
// heads fastest; Qwen3-Next's fused projection is taken apart; rows of Llama's q and k stand in
// pairs; experts are stacked. Error checkpoint.missing_tensor, model.tensor_shape,
// model.extra_tensor, checkpoint.dtype_unsupported.
std::vector<SourceTensor> convert_tensors(const checkpoint::Checkpoint& checkpoint,
                                          const model::ModelConfig& config);

// Where values come from whose first `before` places stay and whose others are value heads of
// `width` places: GGUF files of Qwen3.5 have the key heads running fastest. Empty where nothing
// moves, also for a model that was read from such a file.
std::vector<int64_t> tiled_value_heads(const model::ModelConfig& config, int64_t before,
                                       int64_t width);

// The blocks for multi-token prediction that a checkpoint folder has.
int64_t num_draft_layers(const checkpoint::Checkpoint& checkpoint);

}  // namespace tulou::quantize
