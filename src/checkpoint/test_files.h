// Small checkpoints for tests: builders of safetensors and GGUF files, right or wrong on purpose,
// temporary folders, and bytes that end at an unreadable page.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "checkpoint/gguf_metadata.h"

namespace tulou::checkpoint::test {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The bytes of a number as it lies in memory.
template <typename T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// Floats as F32 data.
inline std::string f32_data(std::span<const float> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

// Writes safetensors files. add() appends a tensor after the others; header() gives the JSON to
// change, and file() puts any header before any data.
class SafetensorsBuilder {
 public:
  SafetensorsBuilder& add(std::string_view name, std::string_view dtype,
                          const std::vector<uint64_t>& shape, std::string_view data) {
    std::string extents;
    for (const uint64_t e : shape) extents += (extents.empty() ? "" : ",") + std::to_string(e);
    const size_t end = data_.size() + data.size();
    return add_entry("\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) +
                         "\",\"shape\":[" + extents + "],\"data_offsets\":[" +
                         std::to_string(data_.size()) + "," + std::to_string(end) + "]}",
                     data);
  }
  SafetensorsBuilder& add(std::string_view name, const std::vector<uint64_t>& shape,
                          std::span<const float> values) {
    return add(name, "F32", shape, f32_data(values));
  }
  // A piece of the header as it stands, and data after those so far.
  SafetensorsBuilder& add_entry(const std::string& json, std::string_view data = "") {
    entries_ += (entries_.empty() ? "" : ",") + json;
    data_ += data;
    return *this;
  }

  std::string header() const { return "{" + entries_ + "}"; }
  const std::string& data() const { return data_; }
  std::string build() const { return file(header(), data_); }

  // Length, header (padded with spaces to 8 bytes), data.
  static std::string file(std::string header, std::string_view data) {
    while (header.size() % 8 != 0) header += ' ';
    return raw<uint64_t>(header.size()) + header + std::string(data);
  }

 private:
  std::string entries_, data_;
};

// Writes GGUF files. What the fields of the header say can be overridden by public members.
class GgufBuilder {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;  // what offsets are rounded to; write the key with set() if it is not 32
  std::optional<uint64_t> num_keys, num_tensors;  // what the header claims, if not the truth

  // A scalar: any number, bool or text.
  template <typename T>
  GgufBuilder& set(std::string_view key, const T& value) {
    begin_key(key);
    keys_ += raw<uint32_t>(static_cast<uint32_t>(type_of<T>())) + item(value);
    return *this;
  }
  // An array of such.
  template <typename T>
  GgufBuilder& set(std::string_view key, const std::vector<T>& values) {
    begin_key(key);
    keys_ += raw<uint32_t>(9) + raw<uint32_t>(static_cast<uint32_t>(type_of<T>())) +
             raw<uint64_t>(values.size());
    for (const T& value : values) keys_ += item(value);
    return *this;
  }
  // A key with any bytes for type and value.
  GgufBuilder& set_raw(std::string_view key, std::string_view type_and_value) {
    begin_key(key);
    keys_ += type_and_value;
    return *this;
  }

  // A tensor after the others; `shape` outermost first, as torch writes it. `type` is ggml's
  // number.
  GgufBuilder& add(std::string_view name, uint32_t type, const std::vector<uint64_t>& shape,
                   std::string_view data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
    return add_at(name, type, shape, data_.size(), data);
  }
  GgufBuilder& add(std::string_view name, const std::vector<uint64_t>& shape,
                   std::span<const float> values) {
    return add(name, 0, shape, f32_data(values));
  }
  // A tensor that claims to lie at `offset`; its data follow those so far.
  GgufBuilder& add_at(std::string_view name, uint32_t type, const std::vector<uint64_t>& shape,
                      uint64_t offset, std::string_view data) {
    infos_ += item(name) + raw<uint32_t>(static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i > 0; --i) infos_ += raw(shape[i - 1]);
    infos_ += raw(type) + raw(offset);
    data_ += data;
    ++tensors_;
    return *this;
  }

  // Everything before the data, with its padding.
  std::string header() const {
    std::string file = "GGUF" + raw(version) + raw(num_tensors.value_or(tensors_)) +
                       raw(num_keys.value_or(count_)) + keys_ + infos_;
    file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
    return file;
  }
  std::string build() const { return header() + data_; }

 private:
  template <typename T>
  static constexpr GgufType type_of() {
    if constexpr (std::is_same_v<T, bool>) return GgufType::kBool;
    if constexpr (std::is_same_v<T, float>) return GgufType::kFloat32;
    if constexpr (std::is_same_v<T, double>) return GgufType::kFloat64;
    if constexpr (std::is_integral_v<T>) {
      switch (sizeof(T)) {
        case 1:
          return std::is_signed_v<T> ? GgufType::kInt8 : GgufType::kUint8;
        case 2:
          return std::is_signed_v<T> ? GgufType::kInt16 : GgufType::kUint16;
        case 4:
          return std::is_signed_v<T> ? GgufType::kInt32 : GgufType::kUint32;
        default:
          return std::is_signed_v<T> ? GgufType::kInt64 : GgufType::kUint64;
      }
    }
    return GgufType::kString;
  }
  static std::string item(std::string_view text) {
    return raw<uint64_t>(text.size()) + std::string(text);
  }
  template <typename T>
    requires std::is_arithmetic_v<T>
  static std::string item(T value) {
    return raw(value);
  }
  void begin_key(std::string_view key) {
    keys_ += item(key);
    ++count_;
  }

  std::string keys_, infos_, data_;
  uint64_t count_ = 0, tensors_ = 0;
};

// A folder that goes with its object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tulou-test-XXXXXX").string();
    ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Writes a file into the folder and gives its path.
  std::string write(std::string_view name, std::string_view content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }

 private:
  std::string path_;
};

// Room for up to `max_size` bytes that end where an unreadable page begins: reading beyond them
// ends the program.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t max_size) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    room_ = (max_size + page - 1) / page * page;
    void* memory =
        ::mmap(nullptr, room_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(memory != MAP_FAILED);
    memory_ = static_cast<std::byte*>(memory);
    size_ = room_ + page;
    ASSERT(::mprotect(memory_ + room_, page, PROT_NONE) == 0);
  }
  ~GuardedBytes() { ::munmap(memory_, size_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  // A copy of `content` at the end of the room.
  std::span<const std::byte> hold(std::string_view content) {
    ASSERT(content.size() <= room_);
    std::byte* begin = memory_ + (room_ - content.size());
    if (!content.empty()) std::memcpy(begin, content.data(), content.size());
    return {begin, content.size()};
  }

 private:
  std::byte* memory_ = nullptr;
  size_t room_ = 0, size_ = 0;
};

}  // namespace tulou::checkpoint::test
