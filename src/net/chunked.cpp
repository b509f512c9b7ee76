#include "net/chunked.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace tulou::net {
namespace {

constexpr size_t kMaxDigits = 15;  // 60 bits: no overflow

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

const Refusal* ChunkedDecoder::take_size(char c) {
  if (c == '\r') {
    if (digits_ == 0) return &refusal::kBadChunk;
    state_ = State::kSizeEnd;
    return nullptr;
  }
  const int value = hex_value(c);
  if (value < 0 || ++digits_ > kMaxDigits) return &refusal::kBadChunk;
  left_ = left_ * 16 + static_cast<uint64_t>(value);
  return nullptr;
}

const Refusal* ChunkedDecoder::take_byte(char c) {
  const auto expect = [&](char wanted, State next) {
    state_ = next;
    return c == wanted ? nullptr : &refusal::kBadChunk;
  };
  switch (state_) {
    case State::kSize:
      return take_size(c);
    case State::kSizeEnd:
      digits_ = 0;
      if (left_ > max_body_ - total_) return &refusal::kBodyTooLarge;
      total_ += left_;
      return expect('\n', left_ == 0 ? State::kLastReturn : State::kData);
    case State::kDataReturn:
      return expect('\r', State::kDataEnd);
    case State::kDataEnd:
      return expect('\n', State::kSize);
    case State::kLastReturn:
      state_ = State::kLastEnd;
      return c == '\r' ? nullptr : &refusal::kTrailer;
    case State::kLastEnd:
      return expect('\n', State::kDone);
    case State::kData:
    case State::kDone:
      break;
  }
  return nullptr;
}

const Refusal* ChunkedDecoder::feed(std::string_view& bytes, std::string& body) {
  while (!bytes.empty() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      body.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
      left_ -= count;
      if (left_ == 0) state_ = State::kDataReturn;
      continue;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (const Refusal* bad = take_byte(c)) return bad;
  }
  return nullptr;
}

}  // namespace tulou::net
