// Random numbers as a pure function of where they are used, so that an answer does not depend on
// what else ran: the same seed, choice and position give the same number in any batch, on any
// machine.
#pragma once

#include <cstdint>

namespace tulou::base {

// Uniform in [0, 1), 53 bits, for the `position`-th token of the `choice`-th answer to one request.
// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
double random_uniform(uint64_t seed, uint32_t choice, uint64_t position);

}  // namespace tulou::base
