// StateCache::save and load: one sequence's state as bytes. The format is in docs/formats.md.
#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/checked.h"
#include "base/error.h"
#include "model/state_cache.h"

namespace tulou::model {
namespace {

constexpr uint64_t kMagic = 0x31657461'74536c54;  // "TlState1"

struct Header {
  uint64_t magic = kMagic;
  uint64_t model = 0;  // digest of the numbers that shape the state
  uint32_t type = 0;   // nn::CacheType
  uint32_t reserved = 0;
  uint64_t length = 0;    // tokens
  uint64_t payload = 0;   // bytes: blocks, then the slot
  uint64_t checksum = 0;  // of the payload
};

// FNV-1a with 64 bits: finds damage, not malice.
uint64_t fnv1a(std::span<const std::byte> bytes, uint64_t hash = 0xcbf29ce484222325) {
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return hash;
}

uint64_t digest(const ModelConfig& c) {
  std::vector<int64_t> numbers = {c.num_key_value_heads,
                                  c.head_dim,
                                  c.linear_num_key_heads,
                                  c.linear_num_value_heads,
                                  c.linear_key_head_dim,
                                  c.linear_value_head_dim,
                                  c.linear_conv_kernel_dim,
                                  c.linear_v_heads_tiled,
                                  c.hidden_size,
                                  c.vocab_size};
  for (const LayerConfig& layer : c.layers) numbers.push_back(static_cast<int64_t>(layer.mixer));
  return fnv1a(std::as_bytes(std::span(numbers)));
}

}  // namespace

uint64_t StateCache::state_bytes(int64_t length) const {
  const auto blocks = static_cast<uint64_t>((length + kKvBlockTokens - 1) / kKvBlockTokens);
  return blocks * plan_.block_bytes + plan_.slot_bytes;
}

std::vector<std::span<std::byte>> StateCache::state_parts(SequenceHandle handle,
                                                          int64_t length) const {
  const Sequence& s = sequence(handle);
  const auto blocks = static_cast<size_t>((length + kKvBlockTokens - 1) / kKvBlockTokens);
  ASSERT(blocks <= s.blocks.size());
  std::vector<std::span<std::byte>> parts;
  for (size_t i = 0; i < blocks; ++i)
    parts.emplace_back(block_data(s.blocks[i], 0), plan_.block_bytes);
  if (plan_.slot_bytes > 0)
    parts.emplace_back(reinterpret_cast<std::byte*>(slot_data(s.slot)), plan_.slot_bytes);
  return parts;
}

std::vector<std::byte> StateCache::save(SequenceHandle handle) const {
  const Sequence& s = sequence(handle);
  Header header;
  header.model = digest(config_);
  header.type = static_cast<uint32_t>(type_);
  header.length = static_cast<uint64_t>(s.length);
  header.payload = state_bytes(s.length);
  std::vector<std::byte> bytes(sizeof(Header) + header.payload);
  std::byte* out = bytes.data() + sizeof(Header);
  for (const std::span<std::byte> part : state_parts(handle, s.length))
    out = std::copy(part.begin(), part.end(), out);
  header.checksum = fnv1a(std::span(bytes).subspan(sizeof(Header)));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

SequenceHandle StateCache::load(std::span<const std::byte> bytes, const std::string& source) {
  Header header;
  if (bytes.size() < sizeof header) throw base::Error("cache.corrupt", source);
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto payload = bytes.subspan(sizeof header);
  if (header.magic != kMagic) throw base::Error("cache.corrupt", source);
  if (header.model != digest(config_) || header.type != static_cast<uint32_t>(type_))
    throw base::Error("cache.incompatible", source);
  const base::CheckedSize blocks =
      (base::CheckedSize(header.length) + (kKvBlockTokens - 1)) / kKvBlockTokens;
  const auto expected = (blocks * plan_.block_bytes + plan_.slot_bytes).value();
  if (expected != header.payload || header.payload != payload.size() ||
      header.checksum != fnv1a(payload))
    throw base::Error("cache.corrupt", source);
  const auto handle = create();
  if (!handle) throw base::Error("cache.full", source);
  if (!reserve(*handle, static_cast<int64_t>(header.length))) {
    release(*handle);
    throw base::Error("cache.full", source);
  }
  const std::byte* in = payload.data();
  for (const std::span<std::byte> part :
       state_parts(*handle, static_cast<int64_t>(header.length))) {
    std::copy_n(in, part.size(), part.begin());
    in += part.size();
  }
  commit(*handle, static_cast<int64_t>(header.length));
  return *handle;
}

}  // namespace tulou::model
