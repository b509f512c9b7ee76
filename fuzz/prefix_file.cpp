// Heads of kept prefixes: what is accepted has a right code, and says what the file's size says.
// The input is a head, with the code made right for it, and then the file's size.
#include "engine/prefix_file.h"

#include <cstring>

#include "base/assert.h"
#include "guarded_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tulou;
  constexpr size_t kSigned = engine::kPrefixHeadBytes - engine::kPrefixMacBytes;
  const base::Digest key = {1, 2, 3};
  const fuzz::Input input(data, size);
  ASSERT(!engine::parse_prefix_head(input.bytes(), size, key).problem.empty());
  if (size < kSigned + sizeof(uint64_t)) return 0;
  engine::PrefixHeadBytes bytes;
  std::memcpy(bytes.data(), data, kSigned);
  const base::Digest mac =
      base::hmac_sha256(std::as_bytes(std::span(key)), {bytes.data(), kSigned});
  std::memcpy(bytes.data() + kSigned, mac.data(), mac.size());
  uint64_t file_bytes = 0;
  std::memcpy(&file_bytes, data + kSigned, sizeof file_bytes);
  const auto parsed = engine::parse_prefix_head(bytes, file_bytes, key);
  if (!parsed.problem.empty()) return 0;
  const engine::PrefixHead& head = parsed.head;
  ASSERT(head.length > 0 && head.length <= engine::kMaxPrefixTokens);
  ASSERT(head.payload < file_bytes && head.length * sizeof(int32_t) < file_bytes);
  ASSERT(engine::encode_prefix_head(head, key) == bytes);
  return 0;
}
