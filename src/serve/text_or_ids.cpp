#include "serve/text_or_ids.h"

#include "base/error.h"
#include "serve/generation_request.h"

namespace tulou::serve {
namespace {

constexpr int64_t kMaxTextBytes = 64 << 20;

TextOrIds one_input(const base::Json& value, const std::string& path) {
  TextOrIds input;
  if (value.is_array()) {
    input.is_ids = true;
    input.ids = read_token_ids(value, path, kMaxJsonValues);
    if (input.ids.empty()) throw base::Error("request.empty", path);
  } else {
    input.text = read_string(value, path, 0, kMaxTextBytes);
  }
  return input;
}

}  // namespace

const char* const kInputsSchema = R"({"anyOf": [
    {"type": "string"},
    {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "string"}},
    {"type": "array", "minItems": 1,
     "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}},
    {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "array", "minItems": 1,
     "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}}}]})";

std::vector<TextOrIds> read_inputs(const base::Json& value, const std::string& path) {
  if (value.is_string()) return {one_input(value, path)};
  if (!value.is_array())
    throw base::Error("request.wrong_type", path, "something else",
                      "a string, token ids, or an array of such");
  if (value.empty()) throw base::Error("request.empty", path);
  if (value[0].is_number()) return {one_input(value, path)};
  read_array(value, path, kMaxInputs);
  std::vector<TextOrIds> inputs;
  for (size_t i = 0; i < value.size(); ++i)
    inputs.push_back(one_input(value[i], item_path(path, i)));
  return inputs;
}

}  // namespace tulou::serve
