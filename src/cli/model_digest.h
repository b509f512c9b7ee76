// Which weights a model has, and under which identity states made with them are kept on disk.
#pragma once

#include <string>

#include "base/progress.h"
#include "base/sha256.h"
#include "cli/session.h"

namespace tulou::cli {

// SHA-256 over the configuration and the SHA-256 of each file of weights. Digests of files are
// remembered in `folder`/digests.json with path, size, time of modification and inode, and taken
// from there while these are the same. Errors of Checkpoint::open and MappedFile::open.
base::Digest model_digest(const std::string& path, const std::string& folder,
                          base::Progress& progress);

// All that the bits of a state depend on: the model, this program (its own file), the kernel level,
// --precision and the type of the cache. Error file.not_readable.
base::Digest state_identity(const base::Digest& model, const Session& session);

}  // namespace tulou::cli
