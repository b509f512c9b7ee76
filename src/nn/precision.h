// How exactly matrix products are computed.
#pragma once

namespace tulou::nn {

// kExact: fp32 activations, to compare with the reference. kDefault: what is fastest within the
// accuracy that is promised (int8 activations for weights in blocks).
enum class Precision { kDefault, kExact };

}  // namespace tulou::nn
