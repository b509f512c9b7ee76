#include "base/error.h"

#include <algorithm>

#include "base/assert.h"

namespace tulou::base {
namespace {

const CatalogueEntry& entry_of(std::string_view id) {
  const auto& entries = catalogue();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const CatalogueEntry& entry) { return entry.id == id; });
  ASSERT(found != entries.end());
  return *found;
}

// Replaces {0}..{9} by the arguments. Each argument must be used, unless it is for the hint.
std::string fill(std::string_view pattern, const std::vector<std::string>& arguments) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool slot = pattern[i] == '{' && i + 2 < pattern.size() && pattern[i + 2] == '}' &&
                      pattern[i + 1] >= '0' && pattern[i + 1] <= '9';
    if (!slot) {
      text += pattern[i];
      continue;
    }
    const size_t index = static_cast<size_t>(pattern[i + 1] - '0');
    ASSERT(index < arguments.size());
    text += printable(arguments[index]);
    i += 2;
  }
  return text;
}

}  // namespace

std::string_view kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidInput:
      return "invalid_input";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kResourceExhausted:
      return "resource_exhausted";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

Error::Error(Verbatim, std::string_view id, std::vector<std::string> arguments)
    : id_(id), arguments_(std::move(arguments)) {
  const CatalogueEntry& entry = entry_of(id);
  kind_ = entry.kind;
  message_ = fill(entry.message, arguments_);
  hint_ = fill(entry.hint, arguments_);
}

}  // namespace tulou::base
