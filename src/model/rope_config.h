// From a RopeConfig to the frequencies of nn::Rope.
#pragma once

#include "model/model_config.h"
#include "nn/rope.h"

namespace tulou::model {

// inv_freq[i] = theta^(-2 i / rotary_dim), changed by YaRN if there is one; the axes of M-RoPE.
nn::Rope make_rope(const RopeConfig& config);

}  // namespace tulou::model
