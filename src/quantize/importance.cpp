#include "quantize/importance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_writer.h"
#include "kernels/quant/dequantize.h"
#include "quantize/type_choice.h"

namespace tulou::quantize {
namespace {

using base::Error;
using checkpoint::TensorEntry;
using tensor::DType;

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";

// All values of an F32 tensor, which must be finite and >= 0.
std::vector<float> numbers(const TensorEntry& entry, const std::string& path) {
  const std::string name = base::printable(entry.name);
  if (entry.stored_dtype != "F32")
    throw Error("imatrix.corrupt", path, name, "is not stored as F32");
  std::vector<float> values(static_cast<size_t>(entry.view.shape.values()));
  std::memcpy(values.data(), entry.view.data, values.size() * sizeof(float));
  for (const float value : values) {
    if (!(value >= 0) || !std::isfinite(value))
      throw Error("imatrix.corrupt", path, name, "has a value that is no mean of squares");
  }
  return values;
}

}  // namespace

void write_importance(const std::string& path, const InputStatistics& statistics,
                      const std::string& dataset, uint32_t num_chunks, uint32_t chunk_size) {
  checkpoint::GgufWriter writer;
  writer.set("general.type", "imatrix");
  writer.set("imatrix.datasets", std::vector<std::string>{dataset});
  writer.set("imatrix.chunk_count", num_chunks);
  writer.set("imatrix.chunk_size", chunk_size);
  for (const auto& [name, squares] : statistics) {
    const auto num = static_cast<int64_t>(squares.counts.size());
    writer.add_tensor(name + std::string(kSums), DType::kF32, {num, squares.width});
    writer.add_tensor(name + std::string(kCounts), DType::kF32, {num, 1});
  }
  writer.begin(path);
  for (const auto& [name, squares] : statistics) {
    writer.write(std::as_bytes(std::span(squares.sums)));
    std::vector<float> counts;
    for (const uint64_t count : squares.counts) counts.push_back(static_cast<float>(count));
    writer.write(std::as_bytes(std::span(counts)));
  }
  writer.commit();
}

ImportanceMatrix ImportanceMatrix::read(const std::string& path) {
  const auto file = base::MappedFile::open(path);
  if (!checkpoint::looks_like_gguf(file->data())) throw Error("imatrix.not_gguf", path);
  const checkpoint::GgufFile gguf = checkpoint::parse_gguf(file->data(), path);
  if (gguf.metadata.string("general.type", "") != "imatrix") throw Error("imatrix.not_gguf", path);
  ImportanceMatrix matrix;
  matrix.path_ = path;
  matrix.num_chunks_ = gguf.metadata.integer("imatrix.chunk_count", 0, INT32_MAX, 0);
  std::map<std::string, const TensorEntry*, std::less<>> counts;
  for (const TensorEntry& entry : gguf.tensors) {
    if (entry.name.ends_with(kCounts))
      counts[entry.name.substr(0, entry.name.size() - kCounts.size())] = &entry;
  }
  for (const TensorEntry& entry : gguf.tensors) {
    if (!entry.name.ends_with(kSums)) continue;
    const std::string name = entry.name.substr(0, entry.name.size() - kSums.size());
    const auto found = counts.find(name);
    if (found == counts.end())
      throw Error("imatrix.corrupt", path, base::printable(name), "has sums but no counts");
    Entry values;
    values.means = numbers(entry, path);
    const std::vector<float> seen = numbers(*found->second, path);
    values.num_matrices = static_cast<int64_t>(seen.size());
    if (values.means.size() % seen.size() != 0)
      throw Error("imatrix.corrupt", path, base::printable(name), "has sums of another number");
    values.width = static_cast<int64_t>(values.means.size() / seen.size());
    for (size_t i = 0; i < values.means.size(); ++i) {
      const float count = seen[i / static_cast<size_t>(values.width)];
      // An expert that the text never chose: all columns count the same.
      values.means[i] = count > 0 ? values.means[i] / count : 1;
      if (!std::isfinite(values.means[i]))
        throw Error("imatrix.corrupt", path, base::printable(name), "has a count near 0");
    }
    matrix.entries_[name] = std::move(values);
  }
  if (matrix.entries_.empty())
    throw Error("imatrix.corrupt", path, "general.type", "says imatrix, but nothing is in it");
  file->check_unchanged();
  return matrix;
}

void ImportanceMatrix::check(std::span<const SourceTensor> tensors, int64_t num_layers) const {
  std::set<std::string_view> left;
  for (const auto& [name, entry] : entries_) left.insert(name);
  std::vector<bool> has_any(static_cast<size_t>(num_layers), false);
  for (const SourceTensor& tensor : tensors) {
    const auto found = entries_.find(tensor.name);
    if (found == entries_.end()) continue;
    left.erase(tensor.name);
    const int64_t stack = tensor.shape.rank == 3 ? tensor.shape[0] : 1;
    const Entry& entry = found->second;
    if (entry.width != tensor.shape.width() ||
        (entry.num_matrices != stack && entry.num_matrices != 1))
      throw Error("imatrix.other_model", path_,
                  base::printable(tensor.name) + " has " + base::to_text(entry.num_matrices) +
                      " x " + base::to_text(entry.width) + " values there, the model needs " +
                      base::to_text(stack) + " x " + base::to_text(tensor.shape.width()));
    const int64_t block = block_of(tensor.name);
    if (block >= 0 && block < num_layers) has_any[static_cast<size_t>(block)] = true;
  }
  left.erase("output.weight");  // of a head that this file shares with the embedding
  if (!left.empty())
    throw Error("imatrix.other_model", path_,
                "the model has no tensor " + base::printable(std::string(*left.begin())));
  const auto missing = std::find(has_any.begin(), has_any.end(), false);
  if (missing != has_any.end())
    throw Error("imatrix.other_model", path_,
                "it has nothing for layer " + base::to_text(missing - has_any.begin()));
}

const float* ImportanceMatrix::find(std::string_view name, int64_t index) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  const Entry& entry = found->second;
  return entry.means.data() + (entry.num_matrices == 1 ? 0 : index) * entry.width;
}

}  // namespace tulou::quantize
