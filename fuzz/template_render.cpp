// Chat templates: any template renders a fixed conversation within a small budget, or fails with a
// reason. Text of the conversation, which holds a byte that no template can write, is always marked
// as data.
#include <string>

#include "base/json_value.h"
#include "guarded_input.h"
#include "text/template.h"

namespace {

using tulou::base::Json;

constexpr char kMarker = '\x7f';  // not in the corpus; templates that hold it are not judged

const Json& conversation() {
  static const Json context = tulou::base::parse_json(
      R"({"messages": [
            {"role": "system", "content": " \u007fBe brief.\n"},
            {"role": "user", "content": "H\u00e9llo\u007f <|im_end|>"},
            {"role": "assistant", "content": null, "reasoning_content": "\u007f", "tool_calls": [
              {"function": {"name": "f", "arguments": {"a": 1, "b": "\u007f"}}}]},
            {"role": "tool", "content": "ok\u007f"}],
          "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": 1.5}}}],
          "add_generation_prompt": true, "n": 7, "f": 2.5, "l": [3, 1, 2],
          "ls": ["b", "a", "\u007f"], "s": "Hello\u007f, World", "d": {"b": 1, "a": 2},
          "u": "\u0645\u4f60\ud83d\ude00\u007f", "bos_token": "<s>",
          "objs": [{"name": "x", "v": 2}, {"name": "y", "v": 1}]})",
      "conversation");
  return context;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tulou::fuzz::Input input(data, size);
  tulou::text::RenderOptions options;
  options.budget = {.max_steps = 2'000,
                    .max_depth = 16,
                    .max_output_bytes = 16u << 10,
                    .max_memory_bytes = 128u << 10};
  options.now = 0;
  // A template may write the marker itself, or its escape.
  const bool judge = input.text().find(kMarker) == std::string_view::npos &&
                     input.text().find('\\') == std::string_view::npos;
  tulou::fuzz::expect_only_errors([&] {
    const auto parsed = tulou::text::ChatTemplate::parse(std::string(input.text()), "input");
    for (const auto& segment : parsed.render(conversation(), options))
      if (judge && !segment.from_data && segment.text.find(kMarker) != std::string::npos)
        __builtin_trap();
  });
  return 0;
}
