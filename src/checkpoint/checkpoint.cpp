#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "base/assert.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "checkpoint/gguf.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shown.h"

namespace tulou::checkpoint {
namespace {

using base::Error;
using base::Json;
using base::MappedFile;

constexpr uint64_t kMaxConfigBytes = 16u << 20;
constexpr uint64_t kMaxCompanionBytes = 64u << 20;
constexpr int64_t kMaxSplits = 4096;

std::string join(const std::string& folder, std::string_view name) {
  return (std::filesystem::path(folder) / name).string();
}

// The weights of a folder without an index: model.safetensors, else the only *.safetensors.
std::string single_file(const std::string& folder) {
  std::string usual = join(folder, "model.safetensors");
  if (base::exists(usual)) return usual;
  std::vector<std::string> found;
  std::error_code failure;
  for (std::filesystem::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (it->path().extension() == ".safetensors") found.push_back(it->path().string());
    if (found.size() > 1) break;
  }
  if (failure) throw Error("file.not_readable", folder, failure.message());
  if (found.empty()) throw Error("checkpoint.no_weights", folder);
  if (found.size() > 1) throw Error("checkpoint.no_index", folder);
  return found.front();
}

// The name of part `number` (from 0) of a split set: NAME-00001-of-00003.gguf.
std::string part_suffix(int64_t number, int64_t count) {
  const auto padded = [](int64_t n) {
    const std::string digits = base::to_text(n);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return "-" + padded(number + 1) + "-of-" + padded(count) + ".gguf";
}

}  // namespace

Checkpoint::Checkpoint() : config_(std::make_shared<base::Json>()) {}

std::shared_ptr<const Checkpoint> Checkpoint::open(const std::string& path) {
  std::shared_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->path_ = path;
  if (base::is_folder(path)) {
    checkpoint->open_folder();
  } else {
    checkpoint->open_gguf();
  }
  return checkpoint;
}

void Checkpoint::open_folder() {
  format_ = Format::kSafetensors;
  const std::string config_path = join(path_, "config.json");
  if (!base::exists(config_path)) throw Error("checkpoint.no_config", path_);
  config_ = std::make_shared<base::Json>(base::read_json_file(config_path, kMaxConfigBytes));
  if (!config_->is_object()) throw Error("json.wrong_type", config_path, "(document)", "an object");
  const std::string index_path = join(path_, "model.safetensors.index.json");
  if (!base::exists(index_path)) {
    add_safetensors(single_file(path_));
    index_tensors();
    return;
  }
  const auto index =
      parse_safetensors_index(base::read_file(index_path, kMaxSafetensorsIndex), index_path);
  for (const std::string& shard : index.shards) {
    const std::string path = join(path_, shard);
    if (!base::exists(path)) throw Error("checkpoint.missing_shard", index_path, shard);
    add_safetensors(path);
  }
  index_tensors();
  for (const auto& [name, shard] : index.entries) {
    const TensorEntry* entry = find(name);
    if (entry == nullptr || entry->file_index != shard)
      throw Error("checkpoint.not_in_shard", index_path, shown(name), index.shards[shard]);
  }
}

void Checkpoint::add_safetensors(const std::string& path) {
  auto file = MappedFile::open(path);
  auto tensors = parse_safetensors(file->data(), path);  // before the file moves
  add(std::move(tensors), std::move(file));
}

void Checkpoint::add(std::vector<TensorEntry> tensors, std::shared_ptr<const MappedFile> file) {
  for (TensorEntry& entry : tensors) {
    entry.file_index = files_.size();
    tensor_bytes_ += entry.bytes;  // no overflow: each lies in a file
  }
  if (tensors_.empty()) {
    tensors_ = std::move(tensors);
  } else {
    std::move(tensors.begin(), tensors.end(), std::back_inserter(tensors_));
  }
  files_.push_back(std::move(file));
}

void Checkpoint::open_gguf() {
  format_ = Format::kGguf;
  auto file = MappedFile::open(path_);
  if (!looks_like_gguf(file->data())) {
    if (path_.ends_with(".safetensors")) throw Error("checkpoint.needs_folder", path_);
    throw Error("checkpoint.unknown_format", path_);
  }
  GgufFile first = parse_gguf(file->data(), path_);
  metadata_ = std::move(first.metadata);
  add(std::move(first.tensors), std::move(file));
  const int64_t count = metadata_.integer("split.count", 0, kMaxSplits, 0);
  if (count > 1) add_parts(count);
  index_tensors();
}

void Checkpoint::add_parts(int64_t count) {
  const int64_t number = metadata_.integer("split.no", 0, count - 1);
  const std::string suffix = part_suffix(number, count);
  if (!path_.ends_with(suffix)) throw Error("gguf.split_name", path_, number + 1, count, suffix);
  const std::string stem = path_.substr(0, path_.size() - suffix.size());
  if (number != 0) throw Error("gguf.not_first_part", path_, stem + part_suffix(0, count));
  for (int64_t i = 1; i < count; ++i) {
    const std::string path = stem + part_suffix(i, count);
    if (!base::exists(path)) throw Error("gguf.missing_part", path_, i + 1, count, path);
    auto file = MappedFile::open(path);
    GgufFile part = parse_gguf(file->data(), path);
    if (part.metadata.integer("split.count", 0, kMaxSplits) != count ||
        part.metadata.integer("split.no", 0, kMaxSplits) != i)
      throw Error("gguf.split_mismatch", path, i + 1, count);
    add(std::move(part.tensors), std::move(file));
  }
  const int64_t total = metadata_.integer("split.tensors.count", 0, INT32_MAX);
  if (static_cast<uint64_t>(total) != tensors_.size())
    throw Error("gguf.split_tensors", path_, total, tensors_.size());
}

void Checkpoint::index_tensors() {
  index_ =
      NameIndex(tensors_.size(), [this](size_t i) -> std::string_view { return tensors_[i].name; });
  if (const auto twice = index_.duplicate()) {
    const TensorEntry &a = tensors_[twice->first], &b = tensors_[twice->second];
    throw Error("checkpoint.duplicate_tensor", file_path(a.file_index), shown(a.name),
                file_path(b.file_index));
  }
}

const TensorEntry* Checkpoint::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found ? &tensors_[*found] : nullptr;
}

const TensorEntry& Checkpoint::require(std::string_view name) const {
  const TensorEntry* entry = find(name);
  if (entry == nullptr) throw Error("checkpoint.missing_tensor", path_, shown(name));
  if (!entry->usable)
    throw Error("checkpoint.dtype_unsupported", file_path(entry->file_index), shown(name),
                entry->offset, entry->stored_dtype);
  return *entry;
}

std::span<const std::byte> Checkpoint::data(const TensorEntry& entry) const {
  return files_[entry.file_index]->data().subspan(entry.offset, entry.bytes);
}

std::optional<std::string> Checkpoint::companion(const std::string& name) const {
  ASSERT(!name.empty() && name.find('/') == std::string::npos);
  if (format_ != Format::kSafetensors) return std::nullopt;
  const std::string path = join(path_, name);
  if (!base::exists(path)) return std::nullopt;
  return base::read_file(path, kMaxCompanionBytes);
}

void Checkpoint::check_unchanged() const {
  for (const auto& file : files_) file->check_unchanged();
}

void Checkpoint::drop_pages() const {
  for (const auto& file : files_) file->drop_pages(file->data());
}

void Checkpoint::drop_pages(const TensorEntry& entry, std::span<const std::byte> part) const {
  files_[entry.file_index]->drop_pages(part);
}

}  // namespace tulou::checkpoint
