// A model made ready for a command: files, kernels, threads and weights, within this computer's
// memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"
#include "cli/model_options.h"
#include "engine/engine.h"
#include "kernels/kernels.h"
#include "model/model.h"

namespace tulou::cli {

// The path that a MODEL argument means: itself if it exists, holds "/" or ends in ".gguf". Anything
// else is Error cli.store_missing.
std::string resolve_model(const std::string& argument);

// The longest context that is chosen when nobody asks for one.
inline constexpr int64_t kDefaultContext = 4096;
inline constexpr int64_t kDefaultWindow = 512;
// The longest that a server chooses by itself.
inline constexpr int64_t kServedContext = 32768;

class Session {
 public:
  // Opens and loads. `fallback` is the precision if the settings name none. Error
  // cli.prefill_needs_amx, cli.prefill_needs_default, cli.model_does_not_fit and those of
  // Checkpoint::open and Model::load.
  Session(const std::string& path, const ModelSettings& settings, Precision fallback,
          base::Progress& progress);

  const model::Model& model() const { return *model_; }
  const model::ModelConfig& config() const { return model_->config(); }
  const kernels::Kernels& kernels() const { return kernels_; }
  base::ThreadPool& threads() { return threads_; }
  nn::CacheType cache_type() const { return cache_type_; }
  Precision precision() const { return precision_; }

  // The context for `num_sequences` at once: the one asked for, else the model's own, but at most
  // kDefaultContext and at most what fits. Error cli.context_beyond_model,
  // cli.context_does_not_fit.
  int64_t context(int64_t num_sequences) const;
  // The most tokens a sequence may have: --context, else what the model was made for.
  int64_t longest_sequence() const;
  // The tokens of a piece that a long text is cut into: --context, else kDefaultWindow, but at most
  // what the model was made for.
  int64_t window() const;
  // A plan for sequences of `context` tokens. Error engine.context_does_not_fit.
  model::CachePlan plan(int64_t num_sequences, int64_t context) const;

  // With `num_prefixes` states of earlier prompts and answers kept, as far as memory goes.
  std::unique_ptr<engine::Engine> make_engine(int64_t num_sequences, int64_t context,
                                              int64_t num_prefixes = 0);
  // An engine for many users, whose cache takes at most `bytes`. The context is the one asked for,
  // else the model's own, but at most kServedContext and what fits. Error cli.memory_too_small.
  std::unique_ptr<engine::Engine> make_shared_engine(int64_t num_sequences, size_t max_waiting,
                                                     uint64_t bytes);

 private:
  ModelSettings settings_;
  const kernels::Kernels& kernels_;
  base::ThreadPool threads_;
  Precision precision_;
  nn::CacheType cache_type_;
  std::unique_ptr<const model::Model> model_;
};

}  // namespace tulou::cli
