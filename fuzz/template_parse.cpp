// Chat templates: any text is parsed, or refused with a reason.
#include <string>

#include "guarded_input.h"
#include "text/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tulou::fuzz::Input input(data, size);
  tulou::fuzz::expect_only_errors(
      [&] { (void)tulou::text::ChatTemplate::parse(std::string(input.text()), "input"); });
  return 0;
}
