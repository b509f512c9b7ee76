#include "base/assert.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace tulou::base {

void assertion_failed(const char* condition, const char* file, int line) {
  const std::string text = std::string("internal error: ") + file + ":" + std::to_string(line) +
                           ": " + condition + " does not hold; please report it\n";
  [[maybe_unused]] const auto written = ::write(2, text.data(), text.size());
  std::abort();
}

}  // namespace tulou::base
