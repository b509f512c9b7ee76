// Every message that a user can see when something fails, in English. Ids are "folder.what".
// A message says what happened, where, and what was expected; the hint says what to do.
#include "base/error.h"

namespace tulou::base {

const std::vector<CatalogueEntry>& catalogue() {
  using enum ErrorKind;
  static const std::vector<CatalogueEntry> entries = {
      // base
      {"file.not_found", kNotFound, "{0}: no such file or folder", "check the path"},
      {"file.not_readable", kInvalidInput, "{0}: cannot be read ({1})", "check its permissions"},
      {"file.not_writable", kInvalidInput, "{0}: cannot be written ({1})",
       "check the folder, its permissions and the free space"},
      {"file.too_large", kResourceExhausted, "{0}: {1} bytes, more than the {2} allowed here",
       "check that this is the file you mean"},
      {"file.changed", kCorrupt, "{0}: the file changed while it was being read",
       "wait until it is completely written, then try again"},
      {"json.invalid", kCorrupt, "{0}: not valid JSON at byte {1}: {2}",
       "check that the file is complete and is JSON"},
      {"json.too_deep", kCorrupt, "{0}: JSON nested more than {1} levels deep", "flatten the data"},
      {"json.duplicate_key", kCorrupt, "{0}: the key \"{1}\" stands twice in one JSON object",
       "remove one of the two"},
      {"json.missing_key", kCorrupt, "{0}: the key \"{1}\" is missing",
       "check that the file is complete"},
      {"json.wrong_type", kCorrupt, "{0}: \"{1}\" is not {2}", "correct the value"},
      {"json.out_of_range", kCorrupt, "{0}: \"{1}\" is {2}, allowed are {3} to {4}",
       "correct the value"},
      {"memory.exhausted", kResourceExhausted, "not enough memory: {0} needs {1} bytes",
       "close other programs, or use a smaller model or context"},
      {"run.cancelled", kCancelled, "stopped", ""},
      // hardware
      {"hardware.unknown_level", kInvalidInput, "\"{0}\" is not a kernel level", "there are: {1}"},
      {"hardware.level_unavailable", kUnsupported, "this processor cannot run kernel level {0}",
       "it can run: {1}"},
  };
  return entries;
}

}  // namespace tulou::base
