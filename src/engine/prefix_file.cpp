#include "engine/prefix_file.h"

#include <cstring>

#include "base/assert.h"
#include "base/checked.h"
#include "base/secret.h"
#include "model/state_cache.h"

namespace tulou::engine {
namespace {

constexpr uint64_t kMagic = 0x78696665'72506c54;  // "TlPrefix"
constexpr size_t kSignedBytes = kPrefixHeadBytes - kPrefixMacBytes;
constexpr auto kBlock = static_cast<uint64_t>(model::kKvBlockTokens);

// The head as it lies in the file, before its MAC; numbers are little-endian, as on every machine
// that this program runs on.
struct Layout {
  uint64_t magic = kMagic;
  uint32_t version = kPrefixFileVersion;
  uint32_t reserved = 0;
  PrefixHead head;
};
static_assert(sizeof(Layout) == kSignedBytes);

// H(a label, then the parts): no two uses of a key can be confused.
base::Digest keyed(const base::Digest& key, std::string_view label,
                   std::span<const std::byte> first, std::span<const std::byte> second) {
  base::HmacSha256 hmac(base::bytes_of(key));
  hmac.update(std::as_bytes(std::span(label)));
  hmac.update(first);
  hmac.update(second);
  return hmac.finish();
}

base::Digest chained(std::byte label, const base::Digest& before, std::span<const int32_t> tokens) {
  base::Sha256 hash;
  hash.update(std::span(&label, 1));
  hash.update(base::bytes_of(before));
  hash.update(std::as_bytes(tokens));
  return hash.finish();
}

}  // namespace

std::optional<uint64_t> prefix_file_bytes(const PrefixHead& head) {
  const base::CheckedSize tokens = base::CheckedSize(head.length) * sizeof(int32_t);
  return (tokens + head.payload + kPrefixHeadBytes + kPrefixMacBytes).value();
}

PrefixHeadBytes encode_prefix_head(const PrefixHead& head, const base::Digest& key) {
  Layout layout;
  layout.head = head;
  PrefixHeadBytes bytes;
  std::memcpy(bytes.data(), &layout, sizeof layout);
  const base::Digest mac =
      base::hmac_sha256(base::bytes_of(key), std::span(bytes).first(kSignedBytes));
  std::memcpy(bytes.data() + kSignedBytes, mac.data(), mac.size());
  return bytes;
}

ParsedPrefixHead parse_prefix_head(std::span<const std::byte> bytes, uint64_t file_bytes,
                                   const base::Digest& key) {
  if (bytes.size() < kPrefixHeadBytes) return {{}, "it is too short"};
  Layout layout;
  std::memcpy(&layout, bytes.data(), sizeof layout);
  if (layout.magic != kMagic) return {{}, "it is no kept prefix"};
  if (layout.version != kPrefixFileVersion) return {{}, "it is of another version"};
  base::Digest mac;
  std::memcpy(mac.data(), bytes.data() + kSignedBytes, mac.size());
  const base::Digest right = base::hmac_sha256(base::bytes_of(key), bytes.first(kSignedBytes));
  if (!base::equal_in_constant_time(mac, right)) return {{}, "its head was changed"};
  const PrefixHead& head = layout.head;
  if (layout.reserved != 0 || head.length == 0 || head.length > kMaxPrefixTokens)
    return {{}, "its head makes no sense"};
  if (prefix_file_bytes(head) != file_bytes) return {{}, "its size is not what its head says"};
  return {head, ""};
}

PrefixNames::PrefixNames(const base::Digest& key, const base::Digest& identity,
                         std::string_view scope, std::span<const int32_t> tokens)
    : identity_(identity),
      scope_(keyed(key, "tulou scope:", base::bytes_of(identity), std::as_bytes(std::span(scope)))),
      tokens_(tokens) {
  chain_ = {keyed(key, "tulou names:", base::bytes_of(identity), std::as_bytes(std::span(scope)))};
  for (size_t begin = 0; begin + kBlock <= tokens.size(); begin += kBlock)
    chain_.push_back(chained(std::byte{0}, chain_.back(), tokens.subspan(begin, kBlock)));
}

base::Digest PrefixNames::name(uint64_t length) const {
  ASSERT(length <= tokens_.size());
  const size_t whole = length / kBlock;
  return chained(std::byte{1}, chain_[whole],
                 tokens_.subspan(whole * kBlock, length - whole * kBlock));
}

PrefixHead PrefixNames::head(uint64_t length, uint64_t payload) const {
  return {identity_, scope_, chain_[length / kBlock], name(length), length, payload};
}

}  // namespace tulou::engine
