// .npy files: the values are as many as the shape says.
#include "checkpoint/npy.h"
#include "base/assert.h"
#include "guarded_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tulou;
  const fuzz::Input input(data, size);
  fuzz::expect_only_errors([&] {
    const auto array = checkpoint::parse_npy(input.bytes(), "input");
    ASSERT(array.rows == 0 || array.values.size() / array.rows == array.cols);
    ASSERT(array.values.size() * sizeof(float) <= size);
  });
  return 0;
}
