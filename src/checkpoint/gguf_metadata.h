// The key-value part of a GGUF file, read with types and ranges. It points into the mapped file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tulou::checkpoint {

// Type numbers as GGUF stores them.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// The word for a type in messages, such as "u32"; "unknown" for a number that is none.
std::string_view type_name(GgufType type);

// One key with its value. Views point into the file.
struct GgufValue {
  std::string_view key;
  GgufType type = GgufType::kUint8;
  GgufType element_type = GgufType::kUint8;  // of an array; equal to `type` for a scalar
  uint64_t count = 1;                        // items of an array; 1 for a scalar
  std::span<const std::byte> data;           // the item or items as stored (little-endian)
  std::vector<std::string_view> strings;     // of a string (one) or an array of strings
  uint64_t offset = 0;                       // of the value in the file, for messages
};

// All keys of a file in file order. Immutable; valid as long as the file is mapped. Strings are
// bytes as they stand: not checked to be UTF-8, and never safe for a terminal as they are.
//
// Every accessor throws Error gguf.missing_key (unless a fallback is given), gguf.wrong_type or
// gguf.out_of_range, naming file, key and byte offset. A wrong type is an error even with a
// fallback. Integers of any width and sign are read as int64; numbers may also be stored as
// integers.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  // Keys must differ, else Error gguf.duplicate_key. `source` names the file in messages.
  GgufMetadata(std::vector<GgufValue> values, std::string source);

  bool empty() const { return values_.empty(); }
  std::span<const GgufValue> values() const { return values_; }
  const GgufValue* find(std::string_view key) const;  // nullptr if absent
  bool has(std::string_view key) const { return find(key) != nullptr; }

  int64_t integer(std::string_view key, int64_t min, int64_t max) const;
  int64_t integer(std::string_view key, int64_t min, int64_t max, int64_t fallback) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::string string(std::string_view key) const;
  std::string string(std::string_view key, std::string_view fallback) const;

  // Arrays. The views of strings() point into the file.
  std::span<const std::string_view> strings(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key, int64_t min, int64_t max) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<bool> booleans(std::string_view key) const;

  const std::string& source() const { return source_; }

 private:
  const GgufValue& required(std::string_view key) const;
  const GgufValue& array(std::string_view key) const;
  int64_t integer_item(const GgufValue& value, uint64_t item, int64_t min, int64_t max) const;
  double number_item(const GgufValue& value, uint64_t item) const;
  bool boolean_item(const GgufValue& value, uint64_t item) const;
  [[noreturn]] void wrong_type(const GgufValue& value, std::string_view expected) const;

  std::vector<GgufValue> values_;
  std::map<std::string_view, size_t> index_;  // by key, into values_
  std::string source_;
};

// A value as text for people, with at most `max_items` items of an array and `max_bytes` bytes of a
// string, control characters shown and not sent: "[248320 strings: \"!\", \"\\\"\", ...]".
std::string display_text(const GgufValue& value, size_t max_items = 4, size_t max_bytes = 80);

}  // namespace tulou::checkpoint
