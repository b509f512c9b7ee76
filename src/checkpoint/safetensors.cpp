#include "checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

#include "base/checked.h"
#include "base/number.h"
#include "checkpoint/json_reader.h"
#include "checkpoint/name_index.h"
#include "checkpoint/shown.h"

namespace tulou::checkpoint {
namespace {

using base::CheckedSize;
using base::Error;
using tensor::DType;

struct StoredType {
  std::string_view name;
  uint64_t bits;
  std::optional<DType> dtype;  // nothing: recognised, not usable
};
constexpr std::array<StoredType, 21> kTypes = {{
    {"BF16", 16, DType::kBF16},
    {"F16", 16, DType::kF16},
    {"F32", 32, DType::kF32},
    {"BOOL", 8, {}},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"U8", 8, {}},
    {"I8", 8, {}},
    {"F8_E5M2", 8, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, {}},
    {"I32", 32, {}},
    {"U32", 32, {}},
    {"F64", 64, {}},
    {"I64", 64, {}},
    {"U64", 64, {}},
    {"C64", 64, {}},
    {"F8_E4M3FNUZ", 8, {}},
}};

// What the header says about one tensor; kept small because there may be a million.
struct Described {
  const char* name = nullptr;
  uint32_t name_size = 0;
  uint8_t type = 0;  // into kTypes
  uint8_t rank = 0;
  uint64_t begin = 0, end = 0;  // of its data, relative to the data of the file
  std::array<int64_t, 4> extent = {1, 1, 1, 1};

  std::string_view key() const { return {name, name_size}; }
};

// Extents as they are read, before more than four of them become two.
struct Extents {
  std::array<uint64_t, kMaxSafetensorsRank> extent = {};
  size_t rank = 0;
};

class HeaderParser {
 public:
  HeaderParser(std::string_view header, std::string_view source, uint64_t data_size)
      : reader_(header, source, sizeof(uint64_t)), data_size_(data_size) {}

  // Everything checked that concerns one tensor alone.
  void parse() {
    auto root = reader_.root();
    for (auto result : root) {
      auto field = reader_.checked(std::move(result));
      name_offset_ = reader_.offset_of(field.key().raw());
      name_ = reader_.key(field, escaped_);
      if (name_ == "__metadata__") {
        read_metadata(field.value());
      } else {
        read_tensor(field.value());
      }
    }
    reader_.finish();
  }

  std::deque<Described>& tensors() { return tensors_; }
  std::deque<std::string>& escaped() { return escaped_; }

 private:
  void read_metadata(ondemand::value value) {
    auto object = reader_.checked(value.get_object());
    for (auto result : object) {
      auto field = reader_.checked(std::move(result));
      const auto type = reader_.checked(field.value().type());
      if (type != ondemand::json_type::string) reader_.invalid("__metadata__ holds only strings");
    }
  }

  void read_tensor(ondemand::value value) {
    if (name_.size() > kMaxTensorNameBytes)
      throw Error("safetensors.name_too_long", reader_.source(), name_offset_, name_.size(),
                  kMaxTensorNameBytes);
    Described tensor;
    tensor.name = name_.data();
    tensor.name_size = static_cast<uint32_t>(name_.size());
    Extents extents;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) wrong_field("(value)", "an object");
    for (auto result : object) {
      auto field = reader_.checked(std::move(result));
      const std::string_view key = reader_.key(field, escaped_fields_);
      bool& seen = key == "dtype"          ? has_dtype
                   : key == "shape"        ? has_shape
                   : key == "data_offsets" ? has_offsets
                                           : unknown_field(key);
      if (seen)
        throw Error("safetensors.repeated_field", reader_.source(), shown(name_), name_offset_,
                    key);
      seen = true;
      if (&seen == &has_dtype) tensor.type = read_dtype(field.value());
      if (&seen == &has_shape) extents = read_shape(field.value());
      if (&seen == &has_offsets) read_offsets(field.value(), tensor);
    }
    if (!has_dtype) missing_field("dtype");
    if (!has_shape) missing_field("shape");
    if (!has_offsets) missing_field("data_offsets");
    check_size(tensor, extents);
    keep_shape(tensor, extents);
    tensors_.push_back(tensor);
    escaped_fields_.clear();
  }

  uint8_t read_dtype(ondemand::value value) {
    ondemand::raw_json_string raw;
    if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) wrong_field("dtype", "a string");
    const std::string_view name = reader_.string(raw, escaped_fields_);
    for (size_t i = 0; i < kTypes.size(); ++i) {
      if (kTypes[i].name == name) return static_cast<uint8_t>(i);
    }
    throw Error("safetensors.unknown_dtype", reader_.source(), shown(name_), name_offset_,
                shown(name));
  }

  Extents read_shape(ondemand::value value) {
    Extents extents;
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) wrong_field("shape", "an array");
    for (auto item : array) {
      uint64_t extent = 0;
      if (item.get_uint64().get(extent) != simdjson::SUCCESS || extent > INT64_MAX)
        wrong_field("shape", "an array of whole numbers below 2^63");
      if (extents.rank == kMaxSafetensorsRank)
        wrong_field("shape", "at most " + base::to_text(kMaxSafetensorsRank) + " extents long");
      extents.extent[extents.rank++] = extent;
    }
    return extents;
  }

  void read_offsets(ondemand::value value, Described& tensor) {
    std::array<uint64_t, 2> offset = {};
    size_t count = 0;
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) wrong_field("data_offsets", "an array");
    for (auto item : array) {
      uint64_t number = 0;
      if (count == 2 || item.get_uint64().get(number) != simdjson::SUCCESS)
        wrong_field("data_offsets", "an array of two whole numbers");
      offset[count++] = number;
    }
    if (count != 2) wrong_field("data_offsets", "an array of two whole numbers");
    tensor.begin = offset[0];
    tensor.end = offset[1];
    if (tensor.begin > tensor.end || tensor.end > data_size_)
      throw Error("safetensors.beyond_end", reader_.source(), shown(name_), name_offset_,
                  tensor.begin, tensor.end, data_size_);
  }

  void check_size(const Described& tensor, const Extents& extents) const {
    CheckedSize bits = kTypes[tensor.type].bits;
    std::string shape;
    for (size_t i = 0; i < extents.rank; ++i) bits = bits * extents.extent[i];
    const uint64_t stored = tensor.end - tensor.begin;
    if (bits.valid() && *bits.value() % 8 == 0 && *bits.value() / 8 == stored) return;
    for (size_t i = 0; i < extents.rank; ++i)
      shape += (i > 0 ? ", " : "") + base::to_text(extents.extent[i]);
    throw Error("safetensors.size_mismatch", reader_.source(), shown(name_), name_offset_,
                kTypes[tensor.type].name, shape, stored);
  }

  static void keep_shape(Described& tensor, const Extents& extents) {
    tensor.rank = static_cast<uint8_t>(std::min<size_t>(extents.rank, 4));
    for (size_t i = 0; i < tensor.rank; ++i)
      tensor.extent[i] = static_cast<int64_t>(extents.extent[i]);
    if (extents.rank <= 4) return;
    CheckedSize rest = 1;
    for (size_t i = 1; i < extents.rank; ++i) rest = rest * extents.extent[i];
    tensor.rank = 2;
    // check_size has multiplied all of them; only beside an extent of 0 can the rest overflow.
    const auto width = static_cast<int64_t>(rest.at_most(INT64_MAX) ? *rest.value() : 0);
    tensor.extent = {tensor.extent[0], width, 1, 1};
  }

  [[noreturn]] bool& unknown_field(std::string_view key) const {
    throw Error("safetensors.unknown_field", reader_.source(), shown(name_), name_offset_,
                shown(key));
  }
  [[noreturn]] void missing_field(std::string_view key) const {
    throw Error("safetensors.missing_field", reader_.source(), shown(name_), name_offset_, key);
  }
  [[noreturn]] void wrong_field(std::string_view key, const std::string& expected) const {
    throw Error("safetensors.wrong_field", reader_.source(), shown(name_), name_offset_, key,
                expected);
  }

  JsonReader reader_;
  uint64_t data_size_;
  std::deque<Described> tensors_;
  std::deque<std::string> escaped_;         // names written with escapes
  std::deque<std::string> escaped_fields_;  // the same of the words in one description
  std::string_view name_;                   // of the tensor being read
  uint64_t name_offset_ = 0;                // of that name in the file
};

// The file's bytes after the header's length.
uint64_t header_size(std::span<const std::byte> file, std::string_view source) {
  uint64_t size = 0;
  if (file.size() < sizeof size)
    throw Error("safetensors.truncated", source, file.size(), sizeof size);
  std::memcpy(&size, file.data(), sizeof size);
  if (size > kMaxSafetensorsHeader)
    throw Error("safetensors.header_too_large", source, size, kMaxSafetensorsHeader);
  if (size > file.size() - sizeof size)
    throw Error("safetensors.truncated", source, file.size(),
                (CheckedSize(size) + sizeof size).value().value_or(UINT64_MAX));
  return size;
}

void check_names(const std::deque<Described>& tensors, std::string_view source) {
  const NameIndex index(tensors.size(), [&](size_t i) { return tensors[i].key(); });
  if (const auto twice = index.duplicate())
    throw Error("safetensors.duplicate_tensor", source, shown(tensors[twice->first].key()));
}

// The data must be covered from its first byte to its last, each byte once.
void check_cover(const std::deque<Described>& tensors, const std::vector<uint32_t>& order,
                 uint64_t data_size, std::string_view source) {
  uint64_t covered = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const Described& tensor = tensors[order[i]];
    if (tensor.begin > covered)
      throw Error("safetensors.hole", source, tensor.begin - covered, covered);
    const Described* before = i == 0 ? nullptr : &tensors[order[i - 1]];
    if (tensor.begin < covered)
      throw Error("safetensors.overlap", source, shown(tensor.key()), tensor.begin,
                  shown(before->key()));
    if (before != nullptr && before->begin == tensor.end)
      throw Error("safetensors.alias", source, shown(tensor.key()), tensor.begin,
                  shown(before->key()));
    covered = tensor.end;
  }
  if (covered != data_size) throw Error("safetensors.hole", source, data_size - covered, covered);
}

TensorEntry entry_of(const Described& tensor, std::span<const std::byte> file, uint64_t start) {
  const StoredType& type = kTypes[tensor.type];
  TensorEntry entry;
  entry.name = tensor.key();
  entry.stored_dtype = type.name;
  entry.usable = type.dtype.has_value();
  entry.offset = start + tensor.begin;  // checked: both lie in the file
  entry.bytes = tensor.end - tensor.begin;
  entry.view.dtype = type.dtype.value_or(DType::kF32);
  entry.view.shape.rank = tensor.rank;
  entry.view.shape.extent = tensor.extent;
  if (entry.usable) entry.view.data = file.data() + entry.offset;
  return entry;
}

}  // namespace

std::vector<TensorEntry> parse_safetensors(std::span<const std::byte> file,
                                           std::string_view source) {
  const uint64_t size = header_size(file, source);
  const uint64_t start = sizeof(uint64_t) + size;
  // A copy: simdjson reads a little beyond the end, and reads twice what another process might
  // change in between.
  std::string text(size + simdjson::SIMDJSON_PADDING, ' ');
  std::memcpy(text.data(), file.data() + sizeof(uint64_t), size);
  std::deque<Described> tensors;
  std::deque<std::string> escaped;
  {
    // simdjson's own memory is several times the header; it goes before the entries are built.
    HeaderParser parser({text.data(), size}, source, file.size() - start);
    parser.parse();
    tensors.swap(parser.tensors());
    escaped.swap(parser.escaped());
  }
  check_names(tensors, source);
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto by_place = [&](uint32_t a, uint32_t b) {
    return std::pair(tensors[a].begin, tensors[a].end) <
           std::pair(tensors[b].begin, tensors[b].end);
  };
  if (!std::is_sorted(order.begin(), order.end(), by_place))
    std::sort(order.begin(), order.end(), by_place);
  check_cover(tensors, order, file.size() - start, source);
  std::vector<TensorEntry> entries;
  entries.reserve(order.size());
  for (const uint32_t i : order) entries.push_back(entry_of(tensors[i], file, start));
  return entries;
}

}  // namespace tulou::checkpoint
