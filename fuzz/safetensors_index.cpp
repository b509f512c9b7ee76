// The index of a sharded set: no name of a shard may lead out of the folder.
#include <string>

#include "base/assert.h"
#include "checkpoint/safetensors.h"
#include "guarded_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tulou;
  const fuzz::Input input(data, size);
  fuzz::expect_only_errors([&] {
    const auto index = checkpoint::parse_safetensors_index(std::string(input.text()), "input");
    for (const std::string& shard : index.shards)
      ASSERT(!shard.empty() && shard.find('/') == std::string::npos && shard != "..");
    size_t bytes = 0;
    for (const auto& entry : index.entries) {
      ASSERT(entry.shard < index.shards.size());
      bytes += entry.name.size();
    }
    ASSERT(bytes <= size);
  });
  return 0;
}
