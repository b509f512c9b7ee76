// SHA-256 and HMAC against the vectors of FIPS 180-4 and RFC 4231; secrets.
#include "base/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/secret.h"

namespace tulou::base {
namespace {

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(hex_text(sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_text(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_text(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, PiecesGiveTheSame) {
  const std::string text(1000, 'a');
  Sha256 hash;
  for (size_t at = 0; at < text.size(); at += 37)
    hash.update(std::string_view(text).substr(at, 37));
  EXPECT_EQ(hash.finish(), sha256(text));
  hash.update("abc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
}

TEST(Sha256, HmacsInPiecesAreTheSame) {
  const std::string text(1000, 'a');
  for (const size_t size : {0u, 1u, 32u, 63u, 64u}) {
    const std::vector<std::byte> key(size, std::byte{0x5a});
    HmacSha256 hmac(key);
    for (size_t at = 0; at < text.size(); at += 37)
      hmac.update(std::as_bytes(std::span(text).subspan(at, std::min<size_t>(37, 1000 - at))));
    EXPECT_EQ(hmac.finish(), hmac_sha256(key, std::as_bytes(std::span(text)))) << size;
  }
}

// RFC 4231, test cases 1 and 2.
TEST(Sha256, KnownHmacs) {
  std::array<std::byte, 20> key;
  key.fill(std::byte{0x0b});
  const std::string_view data = "Hi There";
  EXPECT_EQ(hex_text(hmac_sha256(key, std::as_bytes(std::span(data)))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const std::string_view word = "Jefe", question = "what do ya want for nothing?";
  EXPECT_EQ(
      hex_text(hmac_sha256(std::as_bytes(std::span(word)), std::as_bytes(std::span(question)))),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Secret, HexReadsBack) {
  const std::array<uint8_t, 3> bytes = {0x00, 0x7f, 0xff};
  EXPECT_EQ(hex_text(bytes), "007fff");
  EXPECT_TRUE(std::ranges::equal(*parse_hex("007fff"), bytes));
  EXPECT_FALSE(parse_hex("0"));
  EXPECT_FALSE(parse_hex("0g"));
  EXPECT_FALSE(parse_hex("FF"));
  EXPECT_TRUE(parse_hex("")->empty());
}

TEST(Secret, ComparesEveryByte) {
  std::array<uint8_t, 32> a{};
  for (size_t i = 0; i < a.size(); ++i) {
    std::array<uint8_t, 32> b = a;
    b[i] ^= 0x80;
    EXPECT_FALSE(equal_in_constant_time(a, b));
  }
  EXPECT_TRUE(equal_in_constant_time(a, a));
  EXPECT_FALSE(equal_in_constant_time(a, std::span(a).first(31)));
}

TEST(Secret, RandomBytesDiffer) {
  std::array<uint8_t, 32> a{}, b{};
  random_bytes(a);
  random_bytes(b);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace tulou::base
