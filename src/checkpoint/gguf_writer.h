// Writes GGUF version 3 files: metadata, the list of tensors, then their data in one stream.
// Nothing is there under the file's name before everything is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/file.h"
#include "checkpoint/gguf_metadata.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace tulou::checkpoint {

// First all keys and tensors, in any order, then begin(), the data of each tensor in the order in
// which they were added, and commit(). Destroyed before that, it leaves nothing behind.
class GgufWriter {
 public:
  static constexpr uint64_t kAlignment = 32;

  // A scalar. Which type a key has is part of the format: uint32_t, int32_t, float, bool ...
  template <typename T>
    requires std::is_arithmetic_v<T>
  void set(std::string_view key, T value) {
    begin_key(key, type_of<T>());
    append_raw(header_, value);
  }
  void set(std::string_view key, std::string_view text);
  void set(std::string_view key, const char* text) { set(key, std::string_view(text)); }
  // An array of 32-bit numbers, or of bool.
  template <typename T>
    requires std::is_arithmetic_v<T>
  void set(std::string_view key, const std::vector<T>& values) {
    begin_array(key, type_of<T>(), values.size());
    for (const T value : values) append_raw(header_, value);
  }
  void set(std::string_view key, const std::vector<std::string>& texts);
  // A key of another file, as it stands there.
  void copy(const GgufValue& value);

  // `shape` is outermost first, as Shape has it; its width must fit the type's blocks. Names must
  // differ.
  void add_tensor(std::string_view name, tensor::DType dtype, const tensor::Shape& shape);

  // Bytes of the file when it is complete.
  uint64_t file_bytes() const;

  // Opens the file (see base::DurableFile) and writes everything before the data. Error
  // file.not_writable, as for the functions below.
  void begin(const std::string& path);
  // The next bytes of the tensor whose turn it is; a call may not reach into the next tensor.
  void write(std::span<const std::byte> data);
  // After the last tensor's last byte: makes the file appear.
  void commit();

 private:
  template <typename T>
  static constexpr GgufType type_of() {
    if constexpr (std::is_same_v<T, bool>) return GgufType::kBool;
    if constexpr (std::is_same_v<T, uint32_t>) return GgufType::kUint32;
    if constexpr (std::is_same_v<T, int32_t>) return GgufType::kInt32;
    if constexpr (std::is_same_v<T, uint64_t>) return GgufType::kUint64;
    static_assert(!std::is_floating_point_v<T> || std::is_same_v<T, float>);
    return GgufType::kFloat32;
  }
  template <typename T>
  static void append_raw(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void append_text(std::string& out, std::string_view text);
  void begin_key(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, uint64_t count);
  void pad(uint64_t bytes);
  std::string prefix() const;

  std::string header_, infos_;  // the keys, the descriptions of the tensors
  uint64_t num_keys_ = 0;
  std::vector<uint64_t> tensor_bytes_;
  uint64_t data_bytes_ = 0;  // of the tensors so far, each padded
  size_t next_ = 0;          // the tensor whose turn it is
  uint64_t written_ = 0;     // bytes of it so far
  std::optional<base::DurableFile> file_;
};

}  // namespace tulou::checkpoint
