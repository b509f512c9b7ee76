// A checkpoint folder's tokenizer and template in the form that GGUF files carry.
#pragma once

#include <optional>
#include <string>

#include "quantize/vocabulary.h"

namespace tulou::cli {

// Nothing if the folder has no tokenizer. Added tokens become control tokens if they are special or
// look like it ("<|...|>"), else user-defined ones, as llama.cpp's converter has it. Error
// tokenizer.*, json.*.
std::optional<quantize::Vocabulary> read_vocabulary(const std::string& folder);

}  // namespace tulou::cli
