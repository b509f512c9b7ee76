// Reads GGUF (versions 2 and 3, little-endian): one file in memory to metadata and tensor entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint/gguf_metadata.h"
#include "checkpoint/tensor_entry.h"

namespace tulou::checkpoint {

// Bounds on what a header may claim, besides the size of the file.
inline constexpr uint64_t kMaxGgufTensors = 1u << 20;
inline constexpr uint64_t kMaxGgufKeys = 1u << 16;
inline constexpr uint64_t kMaxGgufNameBytes = 65535;       // keys and tensor names
inline constexpr uint64_t kMaxGgufArrayItems = 1u << 24;   // of numbers, in one array
inline constexpr uint64_t kMaxGgufStringBytes = 1u << 26;  // of one value
inline constexpr uint64_t kMaxGgufStrings = 1u << 22;      // in all arrays of a file together

// What one file says. Views point into the bytes that were parsed.
struct GgufFile {
  uint32_t version = 0;
  uint64_t alignment = 32;
  uint64_t data_offset = 0;  // where the tensor data begins
  GgufMetadata metadata;
  std::vector<TensorEntry> tensors;  // by offset; file_index is 0
};

// Validates everything before anything is allocated in proportion to a claim. `source` names the
// file in errors. Error gguf.*, naming file, key or tensor, and byte offset.
GgufFile parse_gguf(std::span<const std::byte> file, std::string_view source);

// True if the bytes start like a GGUF file of any version.
bool looks_like_gguf(std::span<const std::byte> file);

}  // namespace tulou::checkpoint
