// A model's files as one thing: tensors by name over mapped files, and the configuration. Whoever
// uses it need not know whether it is a folder of safetensors or a GGUF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/name_index.h"
#include "checkpoint/tensor_entry.h"

namespace tulou::checkpoint {

enum class Format { kSafetensors, kGguf };

// Immutable after open, so it may be shared between threads; views point into mapped files that the
// Checkpoint keeps alive.
class Checkpoint {
 public:
  // `path` is a folder with config.json and safetensors (model.safetensors.index.json, else
  // model.safetensors, else the only *.safetensors), or a GGUF file (whole, or the first of a split
  // set whose other parts lie beside it). Everything is validated: sizes, offsets, types, names. A
  // shard may hold tensors that the index does not list; they belong to the checkpoint too.
  // Error checkpoint.*, safetensors.*, gguf.*, json.*, file.*.
  static std::shared_ptr<const Checkpoint> open(const std::string& path);

  Format format() const { return format_; }
  const std::string& path() const { return path_; }

  // In file order.
  std::span<const TensorEntry> tensors() const { return tensors_; }
  const TensorEntry* find(std::string_view name) const;  // nullptr if absent
  // A tensor that must be there and usable: Error checkpoint.missing_tensor or
  // checkpoint.dtype_unsupported.
  const TensorEntry& require(std::string_view name) const;

  // The stored bytes of one of tensors(), whatever its type, usable or not.
  std::span<const std::byte> data(const TensorEntry& entry) const;

  // config.json as it stands; null for GGUF.
  const base::Json& config() const { return *config_; }
  // Empty for safetensors.
  const GgufMetadata& metadata() const { return metadata_; }
  // The text of a file beside the weights, such as generation_config.json (at most 64 MiB); nothing
  // if it is not there, and for GGUF. `name` is a plain file name.
  std::optional<std::string> companion(const std::string& name) const;

  uint64_t tensor_bytes() const { return tensor_bytes_; }
  size_t num_files() const { return files_.size(); }
  const std::string& file_path(size_t file_index) const { return files_[file_index]->path(); }

  // Throws Error file.changed if a file was changed since open. Call after the last read.
  void check_unchanged() const;
  // Tells the kernel that the pages of all files, or of a part of one tensor's data(), may go;
  // reading them again is slow but right.
  void drop_pages() const;
  void drop_pages(const TensorEntry& entry, std::span<const std::byte> part) const;

 private:
  Checkpoint();
  void open_folder();
  void open_gguf();
  void add_parts(int64_t count);
  void add_safetensors(const std::string& path);
  void add(std::vector<TensorEntry> tensors, std::shared_ptr<const base::MappedFile> file);
  void index_tensors();

  Format format_ = Format::kSafetensors;
  std::string path_;
  std::vector<std::shared_ptr<const base::MappedFile>> files_;
  std::vector<TensorEntry> tensors_;
  NameIndex index_;
  std::shared_ptr<const base::Json> config_;  // never a null pointer
  GgufMetadata metadata_;
  uint64_t tensor_bytes_ = 0;
};

}  // namespace tulou::checkpoint
