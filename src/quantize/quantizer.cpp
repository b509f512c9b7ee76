#include "quantize/quantizer.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/number.h"
#include "checkpoint/gguf_writer.h"
#include "kernels/quant/quantize.h"
#include "model/families/family.h"
#include "quantize/convert.h"
#include "quantize/convert_metadata.h"
#include "quantize/type_choice.h"

namespace tulou::quantize {
namespace {

using base::Error;
using checkpoint::Checkpoint;
using checkpoint::GgufWriter;
using tensor::DType;

constexpr uint32_t kQuantizationVersion = 2;  // GGML_QNT_VERSION
constexpr uint64_t kChunkBytes = 4u << 20;    // encoded before they are written
constexpr uint64_t kDropEvery = 16u << 20;    // bytes read before pages are given back
constexpr int64_t kValuesPerJob = 64 * 1024;

// The tensors of a GGUF file as they are.
std::vector<SourceTensor> gguf_tensors(const Checkpoint& source) {
  std::vector<SourceTensor> tensors;
  for (const checkpoint::TensorEntry& entry : source.tensors()) {
    source.require(entry.name);
    SourceTensor& tensor = tensors.emplace_back();
    tensor.name = entry.name;
    tensor.shape = entry.view.shape;
    tensor.kept = entry.view.dtype;
    tensor.parts = {{&entry, 0}};
  }
  return tensors;
}

// The keys of a GGUF file, without those that the new file has its own of.
void copy_keys(GgufWriter& writer, const Checkpoint& source) {
  static const std::set<std::string_view> kOwn = {
      "general.file_type", "general.quantization_version", "general.alignment", "split.no",
      "split.count",       "split.tensors.count"};
  for (const checkpoint::GgufValue& value : source.metadata().values()) {
    if (!kOwn.contains(value.key) && !value.key.starts_with("quantize.imatrix."))
      writer.copy(value);
  }
}

// What the type of a tensor's rows calls for.
struct Job {
  const SourceTensor& tensor;
  DType dtype;
  bool is_copy;
  int64_t rows_per_matrix;  // of a stack of experts
  const ImportanceMatrix* importance;
};

// Encodes row `row` at `out`; false if a value is not finite or too large for the type.
bool encode_row(const Job& job, int64_t row, std::vector<float>& memory, std::byte* out) {
  const auto width = static_cast<size_t>(job.tensor.shape.width());
  if (job.is_copy) {
    std::memcpy(out, job.tensor.stored_row(row),
                tensor::row_bytes(job.dtype, job.tensor.shape.width()));
    return true;
  }
  memory.resize(2 * width);
  job.tensor.read_row(row, memory.data(), memory.data() + width);
  const float limit = kernels::largest_magnitude(job.dtype);
  bool good = true;
  for (size_t i = 0; i < width; ++i) good &= std::fabs(memory[i]) <= limit;  // false for a NaN
  if (!good) return false;
  const float* weights = job.importance == nullptr
                             ? nullptr
                             : job.importance->find(job.tensor.name, row / job.rows_per_matrix);
  kernels::quantize_row(job.dtype, memory.data(), job.tensor.shape.width(), weights, out);
  return true;
}

class Quantizer {
 public:
  Quantizer(const Checkpoint& source, const QuantizeOptions& options, base::ThreadPool& threads,
            base::Progress& progress)
      : source_(source),
        options_(options),
        config_(model::read_config(source)),
        threads_(threads),
        progress_(progress),
        memory_(threads.num_threads()) {}

  QuantizeReport run(const std::string& out) {
    plan();
    write_header();
    report_.file_bytes = writer_.file_bytes();
    progress_.begin("quantising", report_.tensor_bytes, base::ProgressUnit::kBytes);
    writer_.begin(out);
    for (size_t i = 0; i < tensors_.size(); ++i) write_tensor(tensors_[i], types_[i]);
    source_.check_unchanged();
    stop_if_cancelled();
    writer_.commit();
    progress_.end();
    return report_;
  }

 private:
  bool is_gguf() const { return source_.format() == checkpoint::Format::kGguf; }

  ModelFacts facts(int64_t num_drafts) const {
    return {config_.num_hidden_layers() + num_drafts, config_.num_attention_heads,
            config_.num_key_value_heads, config_.num_experts};
  }

  // Tensors and their types, and what will be told about them.
  void plan() {
    if (config_.quantization.method != model::QuantizationMethod::kNone)
      throw Error("quantize.quantized_checkpoint", source_.path(), config_.quantization.name());
    tensors_ = is_gguf() ? gguf_tensors(source_) : convert_tensors(source_, config_);
    num_drafts_ =
        is_gguf() ? source_.metadata().integer(
                        source_.metadata().string("general.architecture") + ".nextn_predict_layers",
                        0, 16, 0)
                  : num_draft_layers(source_);
    if (options_.importance != nullptr)
      options_.importance->check(tensors_, config_.num_hidden_layers());
    types_ =
        choose_types(*options_.type, facts(num_drafts_), options_.importance != nullptr, tensors_);
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const SourceTensor& tensor = tensors_[i];
      const DType dtype = types_[i];
      ++report_.types[tensor::name(dtype)];
      report_.num_values += static_cast<uint64_t>(tensor.shape.values());
      report_.stored_bytes += tensor.stored_bytes();
      report_.tensor_bytes += tensor::row_bytes(dtype, tensor.shape.width()) *
                              static_cast<uint64_t>(tensor.shape.rows());
      const bool is_matrix = is_weight_matrix(tensor.name, tensor.shape);
      const int block = tensor::info(options_.type->base).block_size;
      report_.num_fallbacks += is_matrix && tensor.shape.width() % block != 0;
      report_.num_weighted += is_matrix && options_.importance != nullptr &&
                              options_.importance->find(tensor.name, 0) != nullptr &&
                              tensor::info(dtype).block_size > 1;
      report_.source_is_quantized =
          report_.source_is_quantized ||
          (is_matrix && tensor::info(tensor.stored_dtype(0)).block_size > 1);
    }
  }

  void write_header() {
    if (is_gguf()) {
      copy_keys(writer_, source_);
    } else {
      write_model_keys(writer_, source_, config_, num_drafts_);
      write_vocabulary(writer_, options_.vocabulary, source_, config_);
    }
    writer_.set("general.file_type", options_.type->number);
    writer_.set("general.quantization_version", kQuantizationVersion);
    if (options_.importance != nullptr) {
      writer_.set("quantize.imatrix.file", options_.importance->path());
      writer_.set("quantize.imatrix.entries_count",
                  static_cast<uint32_t>(options_.importance->num_entries()));
      writer_.set("quantize.imatrix.chunks_count",
                  static_cast<uint32_t>(options_.importance->num_chunks()));
    }
    for (size_t i = 0; i < tensors_.size(); ++i)
      writer_.add_tensor(tensors_[i].name, types_[i], tensors_[i].shape);
  }

  void stop_if_cancelled() const {
    if (options_.cancel != nullptr && options_.cancel->load()) throw Error("run.cancelled");
  }

  void write_tensor(const SourceTensor& tensor, DType dtype) {
    const uint64_t row_bytes = tensor::row_bytes(dtype, tensor.shape.width());
    const int64_t rows = tensor.shape.rows();
    const int64_t stack = tensor.shape.rank == 3 ? tensor.shape[0] : 1;
    const Job job = {tensor, dtype, tensor.is_copy(dtype), rows / stack, options_.importance};
    const auto per_chunk =
        std::max<int64_t>(static_cast<int64_t>(threads_.num_threads()),
                          static_cast<int64_t>(kChunkBytes / std::max<uint64_t>(1, row_bytes)));
    for (int64_t begin = 0; begin < rows; begin += per_chunk) {
      stop_if_cancelled();
      const int64_t count = std::min(per_chunk, rows - begin);
      buffer_.resize(static_cast<size_t>(count) * row_bytes);
      encode(job, begin, count, row_bytes);
      writer_.write(buffer_);
      progress_.advance(written_ += buffer_.size());
      give_pages_back(tensor.stored_bytes() / static_cast<uint64_t>(rows) *
                      static_cast<uint64_t>(count));
    }
  }

  // Rows [begin, begin + count) into the buffer, by all threads.
  void encode(const Job& job, int64_t begin, int64_t count, uint64_t row_bytes) {
    const int64_t width = job.tensor.shape.width();
    const int64_t per_job = std::max<int64_t>(1, kValuesPerJob / width);
    const auto num_jobs = static_cast<size_t>((count + per_job - 1) / per_job);
    std::atomic<bool> good{true};
    const base::ThreadPool::Lease lease(threads_);
    lease.parallel_for(num_jobs, [&](size_t index, size_t worker) {
      const int64_t first = static_cast<int64_t>(index) * per_job;
      for (int64_t i = first; i < std::min(first + per_job, count); ++i) {
        std::byte* out = buffer_.data() + static_cast<uint64_t>(i) * row_bytes;
        if (!encode_row(job, begin + i, memory_[worker], out)) good = false;
      }
    });
    if (!good)
      throw Error("quantize.bad_value", source_.path(), job.tensor.name, tensor::name(job.dtype));
  }

  void give_pages_back(uint64_t bytes) {
    read_ += bytes;
    if (read_ < kDropEvery) return;
    source_.drop_pages();
    read_ = 0;
  }

  const Checkpoint& source_;
  const QuantizeOptions& options_;
  model::ModelConfig config_;
  base::ThreadPool& threads_;
  base::Progress& progress_;
  std::vector<std::vector<float>> memory_;  // of each worker
  std::vector<SourceTensor> tensors_;
  std::vector<DType> types_;
  int64_t num_drafts_ = 0;
  GgufWriter writer_;
  QuantizeReport report_;
  std::vector<std::byte> buffer_;
  uint64_t written_ = 0, read_ = 0;
};

// Device and inode of what a path leads to; nothing if it leads nowhere.
using Identity = std::pair<uint64_t, uint64_t>;
std::optional<Identity> identity(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Identity{status.st_dev, status.st_ino};
}

}  // namespace

void check_output(const std::string& out, const std::vector<std::string>& inputs, bool replaces) {
  struct stat status = {};
  if (::lstat(out.c_str(), &status) != 0) return;  // nothing is there; writing tells the rest
  const auto refuse_same = [&](const std::string& input) {
    if (const auto id = identity(out); id && id == identity(input))
      throw Error("quantize.output_is_input", out, input);
  };
  for (const std::string& input : inputs) {
    refuse_same(input);
    std::error_code failure;
    for (std::filesystem::directory_iterator it(input, failure), end; !failure && it != end;
         it.increment(failure))
      refuse_same(it->path().string());
  }
  if (S_ISLNK(status.st_mode) && ::stat(out.c_str(), &status) != 0)
    throw Error("quantize.output_not_a_file", out);  // leads nowhere
  if (!S_ISREG(status.st_mode)) throw Error("quantize.output_not_a_file", out);
  if (!replaces) throw Error("quantize.output_exists", out);
}

QuantizeReport quantize(const Checkpoint& source, const std::string& out,
                        const QuantizeOptions& options, base::ThreadPool& threads,
                        base::Progress& progress) {
  std::vector<std::string> inputs = {source.path()};
  for (size_t i = 0; i < source.num_files(); ++i) inputs.push_back(source.file_path(i));
  if (options.importance != nullptr) inputs.push_back(options.importance->path());
  check_output(out, inputs, options.replaces);
  return Quantizer(source, options, threads, progress).run(out);
}

}  // namespace tulou::quantize
