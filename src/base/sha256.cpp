#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/assert.h"

namespace tulou::base {

struct Sha256::Context {
  Context() : evp(EVP_MD_CTX_new()) {
    ASSERT(evp != nullptr);
    begin();
  }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  void begin() { ASSERT(EVP_DigestInit_ex(evp, EVP_sha256(), nullptr) == 1); }

  EVP_MD_CTX* evp;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> data) {
  ASSERT(EVP_DigestUpdate(context_->evp, data.data(), data.size()) == 1);
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

Digest Sha256::finish() {
  Digest digest;
  ASSERT(EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr) == 1);
  context_->begin();
  return digest;
}

Digest sha256(std::span<const std::byte> data) {
  Digest digest;
  ASSERT(EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

Digest sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

// RFC 2104: H(key ^ opad, H(key ^ ipad, data)), the key padded with zeros to a block of the hash.
HmacSha256::HmacSha256(std::span<const std::byte> key) {
  constexpr size_t kBlock = 64;
  ASSERT(key.size() <= kBlock);
  std::array<std::byte, kBlock> inner, outer;
  for (size_t i = 0; i < kBlock; ++i) {
    const std::byte byte = i < key.size() ? key[i] : std::byte{0};
    inner[i] = byte ^ std::byte{0x36};
    outer[i] = byte ^ std::byte{0x5c};
  }
  inner_.update(inner);
  outer_.update(outer);
}

Digest HmacSha256::finish() {
  outer_.update(bytes_of(inner_.finish()));
  return outer_.finish();
}

Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data) {
  HmacSha256 hmac(key);
  hmac.update(data);
  return hmac.finish();
}

}  // namespace tulou::base
