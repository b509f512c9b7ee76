// A safetensors file: whatever is accepted must lie in the file.
#include "checkpoint/safetensors.h"
#include "base/assert.h"
#include "guarded_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tulou;
  const fuzz::Input input(data, size);
  fuzz::expect_only_errors([&] {
    uint64_t end = 0;
    for (const auto& entry : checkpoint::parse_safetensors(input.bytes(), "input")) {
      ASSERT(entry.offset >= end && entry.bytes <= size - entry.offset);
      end = entry.offset + entry.bytes;
      ASSERT(!entry.usable || entry.view.bytes() == entry.bytes);
    }
  });
  return 0;
}
