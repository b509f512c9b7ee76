// The one exception type of the project. Every message lives in the catalogue (catalogue.cpp),
// found by its id, so that texts can be translated and a test can check each id and its arguments.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/number.h"

namespace tulou::base {

// What kind of thing went wrong; one table each maps it to an exit code or an HTTP status.
enum class ErrorKind {
  kInvalidInput,       // the user's argument or data is wrong
  kNotFound,           // a file, a tensor or a name is not there
  kUnsupported,        // well-formed, but not handled by this program
  kCorrupt,            // a file contradicts its own format
  kResourceExhausted,  // memory, disk or a declared bound
  kCancelled,          // stopped by the user
  kInternal,           // the system refused something, or a bug
};

// The word for a kind in JSON output, e.g. "invalid_input".
std::string_view kind_name(ErrorKind kind);

// Something that is the user's or the world's fault. Throw with the id of a catalogue entry and its
// arguments: `throw Error("gguf.truncated", path, offset);`. An unknown id or a wrong number of
// arguments is a programmer's error and aborts.
class Error : public std::exception {
 public:
  template <typename... Args>
  explicit Error(std::string_view id, const Args&... arguments)
      : Error(Verbatim{}, id, std::vector<std::string>{to_text(arguments)...}) {}

  ErrorKind kind() const { return kind_; }
  // The catalogue's key, such as "gguf.truncated"; stable, for scripts.
  const std::string& id() const { return id_; }
  const std::vector<std::string>& arguments() const { return arguments_; }
  // One line in English: what, where, what was expected. No final newline.
  const char* what() const noexcept override { return message_.c_str(); }
  // One line: what to do about it; may be empty.
  const std::string& hint() const { return hint_; }

 private:
  struct Verbatim {};
  Error(Verbatim, std::string_view id, std::vector<std::string> arguments);

  ErrorKind kind_ = ErrorKind::kInternal;
  std::string id_;
  std::vector<std::string> arguments_;
  std::string message_;
  std::string hint_;
};

// One entry of the catalogue. {0}, {1}, ... stand for the arguments.
struct CatalogueEntry {
  std::string_view id;
  ErrorKind kind;
  std::string_view message;
  std::string_view hint;
};

// The whole catalogue, sorted by nothing in particular; for tests and documentation.
const std::vector<CatalogueEntry>& catalogue();

}  // namespace tulou::base
