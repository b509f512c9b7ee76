// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104): identities of content, and keyed ones. The only
// file of base that knows OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tulou::base {

using Digest = std::array<uint8_t, 32>;

inline std::span<const std::byte> bytes_of(const Digest& digest) {
  return std::as_bytes(std::span(digest));
}

// For hash tables: a digest is already evenly spread.
struct DigestHash {
  size_t operator()(const Digest& digest) const {
    size_t value = 0;
    std::memcpy(&value, digest.data(), sizeof value);
    return value;
  }
};

// Data that comes in pieces. Not thread-safe; movable.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> data);
  void update(std::string_view text);
  // The digest of all that came; the object begins anew.
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::span<const std::byte> data);
Digest sha256(std::string_view text);

// A hash that only who has the key can compute, for identities that others must not guess, of data
// that comes in pieces. Not thread-safe.
class HmacSha256 {
 public:
  // `key` has at most 64 bytes.
  explicit HmacSha256(std::span<const std::byte> key);
  void update(std::span<const std::byte> data) { inner_.update(data); }
  // The digest of all that came; nothing may come after it.
  Digest finish();

 private:
  Sha256 inner_, outer_;
};

// The same of data that is there as a whole.
Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data);

}  // namespace tulou::base
