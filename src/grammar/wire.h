// Messages between the program and its helper process: a kind, then a body of known length.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tulou::grammar {

enum class MessageKind : uint32_t {
  kCompile = 1,  // to the helper
  kDone,         // from the helper
  kTooComplex,
};

struct Message {
  MessageKind kind{};
  std::string body;
};

// False if the other side is gone (or the message is not one of ours).
bool send_message(int socket, MessageKind kind, std::string_view body);
bool receive_message(int socket, Message& message);

// Bodies: numbers as they lie in memory (both sides are the same program), texts with their length.
class BodyWriter {
 public:
  template <typename T>
  void number(T value) {
    body_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void text(std::string_view value) {
    number(static_cast<uint64_t>(value.size()));
    body_.append(value);
  }
  const std::string& body() const { return body_; }

 private:
  std::string body_;
};

// The same in reverse. Past the end it gives zeros and empty texts, and good() is false.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : rest_(body) {}
  template <typename T>
  T number() {
    T value{};
    if (rest_.size() < sizeof(value)) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_.remove_prefix(sizeof(value));
    return value;
  }
  std::string_view text() {
    const auto size = number<uint64_t>();
    if (size > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace tulou::grammar
