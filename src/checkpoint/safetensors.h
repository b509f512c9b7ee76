// Reads the safetensors format: the header of one file, and the index of a sharded set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/tensor_entry.h"

namespace tulou::checkpoint {

inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;  // as the reference implementation
inline constexpr uint64_t kMaxSafetensorsIndex = 100'000'000;
inline constexpr size_t kMaxTensorNameBytes = 4096;
inline constexpr size_t kMaxSafetensorsRank = 8;
inline constexpr size_t kMaxShards = 4096;

// The tensors of one file by offset, with views into `file`; file_index is 0. `source` names the
// file in errors. The data must be covered exactly, without overlap or hole. Beyond what the
// reference implementation refuses: unknown keys in a tensor's description, and two tensors
// without values at one place. Error safetensors.*, naming file, tensor and byte offset.
// Needs at most 8 times the header, plus 16 MiB.
std::vector<TensorEntry> parse_safetensors(std::span<const std::byte> file,
                                           std::string_view source);

// Which shard holds which tensor.
struct SafetensorsIndex {
  SafetensorsIndex() = default;
  SafetensorsIndex(SafetensorsIndex&&) noexcept = default;  // the names point into text and escaped
  SafetensorsIndex& operator=(SafetensorsIndex&&) noexcept = default;

  struct Entry {
    std::string_view name;
    uint32_t shard = 0;  // into shards
  };
  std::vector<std::string> shards;  // plain file names, in the order of their names
  std::vector<Entry> entries;       // in the order of the file; no name stands twice
  std::string text;                 // what the names point into
  std::deque<std::string> escaped;  // and those that were written with escapes
};

// Parses model.safetensors.index.json. A shard must be a plain file name: no slash, not "..".
SafetensorsIndex parse_safetensors_index(std::string text, std::string_view source);

}  // namespace tulou::checkpoint
