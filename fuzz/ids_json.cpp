// Lists of token ids: what is accepted reads back as itself.
#include "checkpoint/ids_json.h"
#include "base/assert.h"
#include "guarded_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tulou;
  const fuzz::Input input(data, size);
  fuzz::expect_only_errors([&] {
    const auto ids = checkpoint::parse_ids(input.text(), "input");
    const auto again = checkpoint::parse_ids(checkpoint::ids_text(ids), "text");
    ASSERT(again.sequences == ids.sequences && again.nested == ids.nested);
  });
  return 0;
}
