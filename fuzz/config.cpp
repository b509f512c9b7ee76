// config.json and its like: any JSON, typed access to each of its keys, and every family's reading
// of it.
#include <string>

#include "base/json_value.h"
#include "guarded_input.h"
#include "model/families/family.h"
#include "model/rope_config.h"

namespace {

using tulou::base::Json;
using tulou::base::JsonObject;
using tulou::fuzz::expect_only_errors;

// `depth` bounds the walk; parse_json has bounded it before.
void use(const JsonObject& object, int depth) {
  for (const auto& item : object.value().items()) {
    const std::string& key = item.key();
    expect_only_errors([&] { (void)object.integer(key, 1, 1 << 20); });
    expect_only_errors([&] { (void)object.integer(key, INT64_MIN, INT64_MAX, 0); });
    expect_only_errors([&] { (void)object.number(key, 1.0); });
    expect_only_errors([&] { (void)object.boolean(key, false); });
    expect_only_errors([&] { (void)object.string(key, ""); });
    if (depth > 0) expect_only_errors([&] { use(object.object(key), depth - 1); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tulou::fuzz::Input input(data, size);
  expect_only_errors([&] {
    const Json value = tulou::base::parse_json(input.text(), "input");
    (void)tulou::base::to_json_text(value);
    use(JsonObject(value, "input"), 3);
    const tulou::model::ModelConfig config = tulou::model::parse_config(value, "input");
    (void)config.kv_bytes_per_token(tulou::kernels::CacheType::kF32);
    (void)config.recurrent_bytes();
    (void)tulou::model::make_rope(config.rope);
  });
  return 0;
}
