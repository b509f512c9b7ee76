// A loaded model: configuration, weights, and the forward pass over a batch. Knows nothing of
// requests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "model/batch.h"
#include "model/load_weights.h"
#include "model/model_config.h"
#include "model/state_cache.h"
#include "model/weights.h"
#include "nn/pass.h"
#include "nn/rope.h"

namespace tulou::model {

// Results of one forward pass; they live in the pass's arena until its next reset.
struct ForwardResult {
  bool cancelled =
      false;  // by the pass's flag; the states of the batch's sequences are then undefined
  // One row for each row that wants kHidden or kLogits, in order: after the final norm.
  // [num_outputs, hidden_size]
  std::span<const float> hidden;
  // One row for each row that wants kLogits, in order. [num_logits, vocab_size]
  std::span<float> logits;
};

// Receives intermediate results for tests and tools: a name as in the golden fixtures
// ("hidden.layer.0", "part.layer.0.mixer"), and [rows, width] values.
using Trace = std::function<void(const std::string& name, std::span<const float> values)>;

// Immutable after loading and safe to share; a forward pass uses only its arguments.
class Model {
 public:
  // Reads the configuration, checks every tensor, copies the weights into memory of its own.
  static std::unique_ptr<const Model> load(const checkpoint::Checkpoint& checkpoint,
                                           base::Progress& progress,
                                           const LoadOptions& options = {});

  const ModelConfig& config() const { return config_; }
  const Weights& weights() const { return weights_; }

  // Runs the batch and writes the sequences' states. Room for the rows must have been reserved in
  // the cache; the caller commits them. Every token id must be in [0, vocab_size).
  ForwardResult forward(nn::Pass& pass, const Batch& batch, StateCache& cache,
                        const Trace& trace = {}) const;

 private:
  Model() = default;
  ModelConfig config_;
  nn::Rope rope_;
  Weights weights_;
};

// Reads only the configuration: for `inspect`, and before anything is allocated.
ModelConfig read_model_config(const checkpoint::Checkpoint& checkpoint);

// The families that this program runs, for messages and documentation: "qwen3_5, qwen3, ...".
std::string supported_families();

}  // namespace tulou::model
