// Text that users hand to commands: read, checked to be UTF-8, shown without driving the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/output.h"

namespace tulou::cli {

// What to do with text that is not UTF-8.
enum class Invalid { kRefuse, kReplace };

// The text itself, or with errors replaced by U+FFFD. Error cli.not_utf8 with the byte offset;
// `source` names the text.
std::string checked_text(std::string text, const std::string& source, Invalid invalid);

// The content of a file, or of standard input for "-" or "", checked.
std::string read_text(const std::string& path, Invalid invalid);

// The tokens of such a text for the model at `path`; special tokens that are written in it are
// text.
std::vector<int32_t> read_tokens(const std::string& path, const std::string& file, Invalid invalid);

// "standard input" for "-" and "", else the path.
std::string shown_source(const std::string& path);

// A JSON document from a file or standard input.
base::Json read_json(const std::string& path);

// Writes text exactly; on a terminal control characters are shown, not sent, and a line end
// follows.
void write_text(Output& out, std::string_view text);

}  // namespace tulou::cli
