// From a checkpoint's tensors to weights: the names and layouts of checkpoint folders and of GGUF
// files.
#pragma once

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "model/model_config.h"
#include "model/weights.h"

namespace tulou::model {

struct LoadOptions {
  // Round no weight: types that kernels do not compute with become F32. Else they become the small
  // type that they lose least in.
  bool exact_weights = false;
};

// Checks and copies everything that the configuration calls for. A tensor that is missing, has
// another shape, or that nothing knows is an Error naming file, tensor and offset. Tensors of parts
// that this program does not run (`mtp.*`, vision) are skipped.
Weights load_weights(const checkpoint::Checkpoint& checkpoint, const ModelConfig& config,
                     base::Progress& progress, const LoadOptions& options = {});

}  // namespace tulou::model
