// Everything there is to tell about a model, without reading its weights, and about this processor.
#pragma once

#include <string>

#include "base/json.h"

namespace tulou::cli {

// What `tulou inspect --json` prints; `isa` is the level asked for, or empty. Parts that a model
// lacks are null. Error as Checkpoint::open and read_model_config.
base::Json inspect_model(const std::string& path, const std::string& isa);

// The processor, the kernel levels it can run, and the one chosen. Error hardware.*.
base::Json inspect_kernels(const std::string& isa);

// The same for people.
std::string report_text(const base::Json& report);
std::string kernels_text(const base::Json& kernels);

}  // namespace tulou::cli
