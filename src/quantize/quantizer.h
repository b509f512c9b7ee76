// Makes a GGUF file of another type from a checkpoint folder or a GGUF file, tensor by tensor.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"
#include "quantize/file_type.h"
#include "quantize/importance.h"
#include "quantize/vocabulary.h"

namespace tulou::quantize {

struct QuantizeOptions {
  const FileType* type = nullptr;
  const ImportanceMatrix* importance = nullptr;  // may be null
  const Vocabulary* vocabulary = nullptr;        // of a checkpoint folder; null: it has none
  bool replaces = false;                         // an existing file of that name
  const std::atomic<bool>* cancel = nullptr;     // may be null: nobody stops it
};

struct QuantizeReport {
  std::map<std::string_view, size_t> types;  // tensors by the name of their type
  uint64_t num_values = 0;
  uint64_t stored_bytes = 0;  // of the same tensors in the source
  uint64_t tensor_bytes = 0;  // of the tensors in the new file
  uint64_t file_bytes = 0;
  size_t num_fallbacks = 0;  // matrices whose rows do not fit their type
  size_t num_weighted = 0;   // matrices with importance
  bool source_is_quantized = false;
  double bits_per_weight() const {
    return 8 * static_cast<double>(tensor_bytes) / static_cast<double>(num_values);
  }
};

// Refuses to write to `out`: Error quantize.output_is_input if it is one of `inputs` (or a file in
// one of them that is a folder) by whatever path or link, quantize.output_exists if it is there and
// `replaces` is false, quantize.output_not_a_file if it is there and no regular file.
void check_output(const std::string& out, const std::vector<std::string>& inputs, bool replaces);

// Writes `out`, which is there only if all went well. Peak memory is small: a few MiB a thread
// besides names and vocabulary. Error quantize.*, imatrix.*, run.cancelled, and those of reading
// the source, file.changed among them.
QuantizeReport quantize(const checkpoint::Checkpoint& source, const std::string& out,
                        const QuantizeOptions& options, base::ThreadPool& threads,
                        base::Progress& progress);

}  // namespace tulou::quantize
