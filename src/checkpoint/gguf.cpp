#include "checkpoint/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/gguf_types.h"
#include "checkpoint/name_index.h"
#include "checkpoint/shown.h"

namespace tulou::checkpoint {
namespace {

using base::CheckedSize;
using base::Error;

static_assert(std::endian::native == std::endian::little, "files are read as they stand");

// Bytes of one item of a fixed size; 0 for strings, arrays and unknown types.
uint64_t item_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    default:
      return 0;
  }
}

// Reads a file front to back. What is being read is kept for messages as a word and a name.
class Reader {
 public:
  Reader(std::span<const std::byte> file, std::string_view source) : file_(file), source_(source) {}

  uint64_t offset() const { return at_; }
  uint64_t remaining() const { return file_.size() - at_; }

  // From now on messages say `what`, such as "the key", and quote `name`.
  void reading(std::string_view what, std::string_view name) {
    what_ = what;
    name_ = name;
  }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> bytes(uint64_t count) {
    if (count > remaining()) {
      const std::string name = name_.empty() ? "" : " \"" + shown(name_) + '"';
      throw Error("gguf.truncated", source_, file_.size(), std::string(what_) + name, at_, count);
    }
    at_ += count;
    return file_.subspan(at_ - count, count);
  }

  std::string_view string(uint64_t max_bytes) {
    const uint64_t size = number<uint64_t>();
    if (size <= remaining() && size > max_bytes)
      throw Error("gguf.string_too_long", source_, what_, at_ - 8, size, max_bytes);
    const auto data = bytes(size);
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }

  // A number of things of at least `min_bytes` each, checked against what is left of the file.
  uint64_t count(std::string_view what, uint64_t min_bytes, uint64_t max) {
    const uint64_t value = number<uint64_t>();
    return checked_count(value, what, min_bytes, max);
  }
  uint64_t checked_count(uint64_t value, std::string_view what, uint64_t min_bytes,
                         uint64_t max) const {
    if (value > max || value > remaining() / min_bytes)
      throw Error("gguf.too_many", source_, value, what, at_ - 8,
                  std::min(max, remaining() / min_bytes));
    return value;
  }

  const std::string& source() const { return source_; }

 private:
  std::span<const std::byte> file_;
  std::string source_;
  uint64_t at_ = 0;
  std::string_view what_, name_;
};

class Parser {
 public:
  Parser(std::span<const std::byte> file, std::string_view source)
      : file_(file), reader_(file, source) {}

  GgufFile parse() {
    read_version();
    reader_.reading("the counts", "");
    const uint64_t num_tensors = reader_.number<uint64_t>();
    // The least a key needs: the length of its name, its type, a value of one byte.
    const uint64_t num_keys = reader_.count("keys", 13, kMaxGgufKeys);
    reader_.checked_count(num_tensors, "tensors", 24, kMaxGgufTensors);
    std::vector<GgufValue> values;
    for (uint64_t i = 0; i < num_keys; ++i) values.push_back(read_value());
    result_.metadata = GgufMetadata(std::move(values), reader_.source());
    read_alignment();
    for (uint64_t i = 0; i < num_tensors; ++i) read_tensor();
    place_tensors();
    return std::move(result_);
  }

 private:
  void read_version() {
    if (!looks_like_gguf(file_)) throw Error("gguf.not_gguf", reader_.source());
    reader_.reading("the header", "");
    reader_.bytes(4);
    result_.version = reader_.number<uint32_t>();
    // A big-endian file shows its small version number in the highest byte.
    if (result_.version != 0 && (result_.version & 0xffff) == 0)
      throw Error("gguf.big_endian", reader_.source());
    if (result_.version != 2 && result_.version != 3)
      throw Error("gguf.version", reader_.source(), result_.version);
  }

  GgufType read_type(std::string_view key) {
    const uint64_t offset = reader_.offset();
    const auto type = static_cast<GgufType>(reader_.number<uint32_t>());
    if (type_name(type) == "unknown")
      throw Error("gguf.unknown_type", reader_.source(), shown(key), offset,
                  static_cast<uint32_t>(type));
    return type;
  }

  GgufValue read_value() {
    GgufValue value;
    reader_.reading("the name of a key", "");
    value.key = reader_.string(kMaxGgufNameBytes);
    reader_.reading("the key", value.key);
    value.type = value.element_type = read_type(value.key);
    value.offset = reader_.offset();
    if (value.type == GgufType::kArray) {
      read_array(value);
    } else if (value.type == GgufType::kString) {
      value.strings.push_back(reader_.string(kMaxGgufStringBytes));
    } else {
      value.data = reader_.bytes(item_bytes(value.type));
    }
    return value;
  }

  void read_array(GgufValue& value) {
    value.element_type = read_type(value.key);
    if (value.element_type == GgufType::kArray)
      throw Error("gguf.nested_array", reader_.source(), shown(value.key), value.offset);
    if (value.element_type != GgufType::kString) {
      const uint64_t size = item_bytes(value.element_type);
      value.count = reader_.count("items of an array", size, kMaxGgufArrayItems);
      value.data = reader_.bytes(*(CheckedSize(value.count) * size).value());
      return;
    }
    value.count = reader_.count("strings", 8, kMaxGgufStrings - num_strings_);
    num_strings_ += value.count;
    for (uint64_t i = 0; i < value.count; ++i)
      value.strings.push_back(reader_.string(kMaxGgufStringBytes));
  }

  void read_alignment() {
    const int64_t alignment = result_.metadata.integer("general.alignment", 8, 65536, 32);
    result_.alignment = static_cast<uint64_t>(alignment);
    if (!std::has_single_bit(result_.alignment))
      throw Error("gguf.bad_alignment", reader_.source(),
                  result_.metadata.find("general.alignment")->offset, alignment);
  }

  void read_tensor() {
    reader_.reading("the name of a tensor", "");
    header_offset_ = reader_.offset();
    TensorEntry entry;
    const std::string_view name = reader_.string(kMaxGgufNameBytes);
    entry.name = name;
    reader_.reading("the tensor", name);
    const uint32_t rank = reader_.number<uint32_t>();
    if (rank > 4) bad_shape(name, base::to_text(rank) + " dimensions, at most 4 are allowed");
    entry.view.shape.rank = static_cast<int>(rank);
    CheckedSize values = 1;
    for (uint32_t i = 0; i < rank; ++i) {
      // The innermost extent stands first in the file and last in a Shape.
      const uint64_t extent = reader_.number<uint64_t>();
      if (extent == 0 || extent > INT64_MAX)
        bad_shape(name, "an extent of " + base::to_text(extent));
      entry.view.shape.extent[rank - 1 - i] = static_cast<int64_t>(extent);
      values = values * extent;
    }
    read_type_and_offset(entry, values);
    result_.tensors.push_back(std::move(entry));
  }

  void read_type_and_offset(TensorEntry& entry, CheckedSize values) {
    const uint32_t id = reader_.number<uint32_t>();
    const GgmlType* type = find_ggml_type(id);
    if (type == nullptr)
      throw Error("gguf.unknown_tensor_type", reader_.source(), shown(entry.name),
                  reader_.offset() - 4, id);
    const auto block = static_cast<uint64_t>(type->block_size);
    if (static_cast<uint64_t>(entry.view.shape.width()) % block != 0)
      bad_shape(entry.name, "rows of " + base::to_text(entry.view.shape.width()) + " values, " +
                                std::string(type->name) + " needs a multiple of " +
                                base::to_text(block));
    const CheckedSize bytes = values / block * static_cast<uint64_t>(type->block_bytes);
    if (!bytes.at_most(INT64_MAX)) bad_shape(entry.name, "more than 2^63 bytes");
    entry.bytes = *bytes.value();
    entry.stored_dtype = type->name;
    entry.usable = type->dtype.has_value();
    entry.view.dtype = type->dtype.value_or(tensor::DType::kF32);
    entry.offset = reader_.number<uint64_t>();  // relative to the data until place_tensors
    if (entry.offset % result_.alignment != 0)
      throw Error("gguf.misaligned_tensor", reader_.source(), shown(entry.name),
                  reader_.offset() - 8, entry.offset, result_.alignment);
  }

  // Offsets become absolute, and every tensor must lie in the file and in no other tensor.
  void place_tensors() {
    const CheckedSize start = CheckedSize(reader_.offset()).rounded_up(result_.alignment);
    result_.data_offset = start.value().value_or(UINT64_MAX);
    for (TensorEntry& entry : result_.tensors) {
      const CheckedSize begin = start + entry.offset;
      const CheckedSize end = begin + entry.bytes;
      if (!end.at_most(file_.size()))
        throw Error("gguf.tensor_beyond_end", reader_.source(), shown(entry.name), entry.offset,
                    entry.bytes, result_.data_offset, file_.size());
      entry.offset = *begin.value();
      if (entry.usable) entry.view.data = file_.data() + entry.offset;
    }
    const auto by_offset = [](const TensorEntry& a, const TensorEntry& b) {
      return a.offset < b.offset;
    };
    if (!std::is_sorted(result_.tensors.begin(), result_.tensors.end(), by_offset))
      std::sort(result_.tensors.begin(), result_.tensors.end(), by_offset);
    for (size_t i = 1; i < result_.tensors.size(); ++i) {
      const TensorEntry &before = result_.tensors[i - 1], &entry = result_.tensors[i];
      if (entry.offset - before.offset < before.bytes)
        throw Error("gguf.overlap", reader_.source(), shown(entry.name), entry.offset,
                    shown(before.name));
    }
    const NameIndex index(result_.tensors.size(),
                          [&](size_t i) -> std::string_view { return result_.tensors[i].name; });
    if (const auto twice = index.duplicate())
      throw Error("gguf.duplicate_tensor", reader_.source(),
                  shown(result_.tensors[twice->first].name), result_.tensors[twice->first].offset,
                  result_.tensors[twice->second].offset);
  }

  [[noreturn]] void bad_shape(std::string_view name, const std::string& what) const {
    throw Error("gguf.bad_shape", reader_.source(), shown(name), header_offset_, what);
  }

  std::span<const std::byte> file_;
  Reader reader_;
  GgufFile result_;
  uint64_t num_strings_ = 0;
  uint64_t header_offset_ = 0;  // where the description of the current tensor begins
};

}  // namespace

bool looks_like_gguf(std::span<const std::byte> file) {
  return file.size() >= 4 && std::memcmp(file.data(), "GGUF", 4) == 0;
}

GgufFile parse_gguf(std::span<const std::byte> file, std::string_view source) {
  return Parser(file, source).parse();
}

}  // namespace tulou::checkpoint
