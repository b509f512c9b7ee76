// A GGUF file: tensors lie in the file, and every key can be asked for as every type.
#include "checkpoint/gguf.h"
#include "base/assert.h"
#include "guarded_input.h"

namespace {

void use(const tulou::checkpoint::GgufMetadata& metadata, std::string_view key) {
  using tulou::fuzz::expect_only_errors;
  expect_only_errors([&] { (void)metadata.integer(key, 0, 1000000); });
  expect_only_errors([&] { (void)metadata.number(key, 1.0); });
  expect_only_errors([&] { (void)metadata.boolean(key); });
  expect_only_errors([&] { (void)metadata.string(key, ""); });
  expect_only_errors([&] { (void)metadata.strings(key); });
  expect_only_errors([&] { (void)metadata.integers(key, INT64_MIN, INT64_MAX); });
  expect_only_errors([&] { (void)metadata.numbers(key); });
  expect_only_errors([&] { (void)metadata.booleans(key); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tulou;
  const fuzz::Input input(data, size);
  fuzz::expect_only_errors([&] {
    const checkpoint::GgufFile file = checkpoint::parse_gguf(input.bytes(), "input");
    for (const auto& value : file.metadata.values()) {
      (void)checkpoint::display_text(value);
      use(file.metadata, value.key);
    }
    uint64_t end = 0;
    for (const auto& entry : file.tensors) {
      ASSERT(entry.offset >= end && entry.bytes <= size - entry.offset);
      end = entry.offset + entry.bytes;
      ASSERT(!entry.usable || entry.view.bytes() == entry.bytes);
    }
  });
  return 0;
}
