#include "checkpoint/gguf_metadata.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "base/number.h"
#include "checkpoint/shown.h"

namespace tulou::checkpoint {
namespace {

using base::Error;

template <typename T>
T load(const GgufValue& value, uint64_t item) {
  DCHECK(item < value.count && (item + 1) * sizeof(T) <= value.data.size());
  T result;
  std::memcpy(&result, value.data.data() + item * sizeof(T), sizeof(T));
  return result;
}

// An item of any integer type; nothing for other types.
struct Integer {
  bool negative = false;
  uint64_t magnitude = 0;  // two's complement if negative

  template <typename T>
  explicit Integer(T value)
      : negative(std::cmp_less(value, 0)), magnitude(static_cast<uint64_t>(value)) {}
  bool fits() const { return negative || magnitude <= INT64_MAX; }
  int64_t value() const { return static_cast<int64_t>(magnitude); }
  std::string text() const { return negative ? base::to_text(value()) : base::to_text(magnitude); }
};

std::optional<Integer> load_integer(const GgufValue& value, uint64_t item) {
  switch (value.element_type) {
    case GgufType::kUint8:
      return Integer(load<uint8_t>(value, item));
    case GgufType::kInt8:
      return Integer(load<int8_t>(value, item));
    case GgufType::kUint16:
      return Integer(load<uint16_t>(value, item));
    case GgufType::kInt16:
      return Integer(load<int16_t>(value, item));
    case GgufType::kUint32:
      return Integer(load<uint32_t>(value, item));
    case GgufType::kInt32:
      return Integer(load<int32_t>(value, item));
    case GgufType::kUint64:
      return Integer(load<uint64_t>(value, item));
    case GgufType::kInt64:
      return Integer(load<int64_t>(value, item));
    default:
      return std::nullopt;
  }
}

std::optional<double> load_number(const GgufValue& value, uint64_t item) {
  if (value.element_type == GgufType::kFloat32) return load<float>(value, item);
  if (value.element_type == GgufType::kFloat64) return load<double>(value, item);
  const auto integer = load_integer(value, item);
  if (!integer) return std::nullopt;
  return integer->negative ? static_cast<double>(integer->value())
                           : static_cast<double>(integer->magnitude);
}

std::string described(const GgufValue& value) {
  if (value.type != GgufType::kArray) return std::string(type_name(value.type));
  return "an array of " + std::string(type_name(value.element_type));
}

std::string item_text(const GgufValue& value, uint64_t item, size_t max_bytes) {
  if (value.element_type == GgufType::kString)
    return '"' + base::printable(shown(value.strings[item], max_bytes)) + '"';
  if (value.element_type == GgufType::kBool) return load<uint8_t>(value, item) ? "true" : "false";
  if (value.element_type == GgufType::kFloat32) return base::to_text(load<float>(value, item));
  if (value.element_type == GgufType::kFloat64) return base::to_text(load<double>(value, item));
  return load_integer(value, item)->text();
}

}  // namespace

std::string_view type_name(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
      return "u8";
    case GgufType::kInt8:
      return "i8";
    case GgufType::kUint16:
      return "u16";
    case GgufType::kInt16:
      return "i16";
    case GgufType::kUint32:
      return "u32";
    case GgufType::kInt32:
      return "i32";
    case GgufType::kFloat32:
      return "f32";
    case GgufType::kBool:
      return "bool";
    case GgufType::kString:
      return "string";
    case GgufType::kArray:
      return "array";
    case GgufType::kUint64:
      return "u64";
    case GgufType::kInt64:
      return "i64";
    case GgufType::kFloat64:
      return "f64";
  }
  return "unknown";
}

GgufMetadata::GgufMetadata(std::vector<GgufValue> values, std::string source)
    : values_(std::move(values)), source_(std::move(source)) {
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!index_.emplace(values_[i].key, i).second)
      throw Error("gguf.duplicate_key", source_, shown(values_[i].key), values_[i].offset);
  }
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &values_[found->second];
}

const GgufValue& GgufMetadata::required(std::string_view key) const {
  const GgufValue* found = find(key);
  if (found == nullptr) throw Error("gguf.missing_key", source_, key);
  return *found;
}

void GgufMetadata::wrong_type(const GgufValue& value, std::string_view expected) const {
  throw Error("gguf.wrong_type", source_, shown(value.key), value.offset, described(value),
              expected);
}

int64_t GgufMetadata::integer_item(const GgufValue& value, uint64_t item, int64_t min,
                                   int64_t max) const {
  const auto integer = load_integer(value, item);
  if (!integer) wrong_type(value, value.type == GgufType::kArray ? "integers" : "an integer");
  if (!integer->fits() || integer->value() < min || integer->value() > max)
    throw Error("gguf.out_of_range", source_, shown(value.key), value.offset, integer->text(), min,
                max);
  return integer->value();
}

double GgufMetadata::number_item(const GgufValue& value, uint64_t item) const {
  const auto number = load_number(value, item);
  if (!number) wrong_type(value, value.type == GgufType::kArray ? "numbers" : "a number");
  return *number;
}

bool GgufMetadata::boolean_item(const GgufValue& value, uint64_t item) const {
  if (value.element_type != GgufType::kBool) wrong_type(value, "true or false");
  const uint8_t byte = load<uint8_t>(value, item);
  if (byte > 1)
    throw Error("gguf.out_of_range", source_, shown(value.key), value.offset, byte, 0, 1);
  return byte == 1;
}

int64_t GgufMetadata::integer(std::string_view key, int64_t min, int64_t max) const {
  const GgufValue& value = required(key);
  if (value.type == GgufType::kArray) wrong_type(value, "an integer");
  return integer_item(value, 0, min, max);
}

int64_t GgufMetadata::integer(std::string_view key, int64_t min, int64_t max,
                              int64_t fallback) const {
  return has(key) ? integer(key, min, max) : fallback;
}

double GgufMetadata::number(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type == GgufType::kArray) wrong_type(value, "a number");
  return number_item(value, 0);
}

double GgufMetadata::number(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool GgufMetadata::boolean(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type == GgufType::kArray) wrong_type(value, "true or false");
  return boolean_item(value, 0);
}

bool GgufMetadata::boolean(std::string_view key, bool fallback) const {
  return has(key) ? boolean(key) : fallback;
}

std::string GgufMetadata::string(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type != GgufType::kString) wrong_type(value, "a string");
  return std::string(value.strings[0]);
}

std::string GgufMetadata::string(std::string_view key, std::string_view fallback) const {
  return has(key) ? string(key) : std::string(fallback);
}

const GgufValue& GgufMetadata::array(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type != GgufType::kArray) wrong_type(value, "an array");
  return value;
}

std::span<const std::string_view> GgufMetadata::strings(std::string_view key) const {
  const GgufValue& value = array(key);
  if (value.element_type != GgufType::kString) wrong_type(value, "an array of strings");
  return value.strings;
}

std::vector<int64_t> GgufMetadata::integers(std::string_view key, int64_t min, int64_t max) const {
  const GgufValue& value = array(key);
  std::vector<int64_t> result(value.count);
  for (uint64_t i = 0; i < value.count; ++i) result[i] = integer_item(value, i, min, max);
  return result;
}

std::vector<double> GgufMetadata::numbers(std::string_view key) const {
  const GgufValue& value = array(key);
  std::vector<double> result(value.count);
  for (uint64_t i = 0; i < value.count; ++i) result[i] = number_item(value, i);
  return result;
}

std::vector<bool> GgufMetadata::booleans(std::string_view key) const {
  const GgufValue& value = array(key);
  std::vector<bool> result(value.count);
  for (uint64_t i = 0; i < value.count; ++i) result[i] = boolean_item(value, i);
  return result;
}

std::string display_text(const GgufValue& value, size_t max_items, size_t max_bytes) {
  if (value.type != GgufType::kArray) return item_text(value, 0, max_bytes);
  std::string text = "[" + base::to_text(value.count) + " " +
                     std::string(type_name(value.element_type)) + (value.count > 0 ? ": " : "");
  for (uint64_t i = 0; i < value.count && i < max_items; ++i) {
    if (i > 0) text += ", ";
    text += item_text(value, i, max_bytes);
  }
  if (value.count > max_items) text += ", ...";
  return text + "]";
}

}  // namespace tulou::checkpoint
