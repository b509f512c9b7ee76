// The keys of a GGUF file made from a checkpoint folder, as llama.cpp's converter writes them.
#pragma once

#include <string>

#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_writer.h"
#include "model/model_config.h"
#include "quantize/vocabulary.h"

namespace tulou::quantize {

// Writes what describes the model: architecture, sizes, rope, experts, Gated DeltaNet, defaults of
// generation_config.json. `num_drafts` are the layers for multi-token prediction. Error
// model.unsupported_architecture for a family that has no GGUF form.
void write_model_keys(checkpoint::GgufWriter& writer, const checkpoint::Checkpoint& checkpoint,
                      const model::ModelConfig& config, int64_t num_drafts);

// Writes the tokenizer and the template; tokens that the vocabulary leaves out up to `vocab_size`
// become unused ones. Without a vocabulary the file says that there is none. Error
// quantize.vocabulary_too_large.
void write_vocabulary(checkpoint::GgufWriter& writer, const Vocabulary* vocabulary,
                      const checkpoint::Checkpoint& checkpoint, const model::ModelConfig& config);

// The architecture's name in GGUF files. Error model.unsupported_architecture.
std::string gguf_architecture(const checkpoint::Checkpoint& checkpoint,
                              const model::ModelConfig& config);

}  // namespace tulou::quantize
