// Loads the models of a server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "cli/model_options.h"
#include "grammar/helper.h"
#include "serve/loaded_model.h"

namespace tulou::cli {

struct ServedModelSettings {
  std::string path;
  std::vector<std::string> names;  // the first one is shown
  int64_t parallel = 16;           // answers at once
  size_t max_waiting = 1024;       // requests besides
  uint64_t cache_bytes = 0;
  std::shared_ptr<engine::PrefixStore> store;  // null: nothing is kept on disk
  std::string store_folder;
  serve::ServedModel info;  // unloaded_model()
};

// The name that a path suggests: the file's or the folder's, without ".gguf".
std::string suggested_name(const std::string& path);

// What the files say, before anything is loaded. Errors of Checkpoint::open.
struct WeightsSummary {
  uint64_t bytes = 0;       // of the weights in memory
  uint64_t parameters = 0;  // numbers that they stand for
  int64_t trained_context = 0, vocab_size = 0, embedding_size = 0;
};
WeightsSummary weights_summary(const std::string& path);

// How a model that is not loaded is shown; its context is not known yet.
serve::ServedModel unloaded_model(const std::string& name, const WeightsSummary& weights);

// Loads weights and text side and makes the engine. Errors of Session and TextModel.
std::shared_ptr<serve::LoadedModel> load_served_model(
    const ServedModelSettings& settings, const ModelSettings& model_settings,
    const std::shared_ptr<grammar::Helper>& helper, base::Progress& progress);

}  // namespace tulou::cli
