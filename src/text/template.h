// Chat templates: an interpreter of the Jinja language as chat models use it. Templates come from
// model files and are not trusted: they see data only and run within a budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/segment.h"

namespace tulou::text {

namespace jinja {
struct Template;
}

/// What one rendering may use. Exceeding any of it is Error template.budget.
struct TemplateBudget {
  int64_t max_steps = 1'000'000;        // evaluated nodes, and 64 bytes of text work each
  int max_depth = 64;                   // macro calls inside each other
  size_t max_output_bytes = 8u << 20;   // of the rendered text
  size_t max_memory_bytes = 16u << 20;  // of the values that the template makes
};

struct RenderOptions {
  TemplateBudget budget;
  /// Top-level variables whose text counts as the template's own, not as data.
  std::vector<std::string> trusted = {"bos_token", "eos_token", "pad_token", "unk_token",
                                      "sep_token", "cls_token", "mask_token"};
  /// What strftime_now() shows; the present if absent.
  std::optional<std::time_t> now;
};

/// A parsed template. Immutable; may be rendered by several threads at once.
class ChatTemplate {
 public:
  /// `name` (a path) stands in errors. Errors: template.syntax, template.unsupported,
  /// template.too_large, each with line and column.
  static ChatTemplate parse(const std::string& source, std::string name);

  /// Renders with the variables of `context` (an object): "messages", "tools", "documents",
  /// "add_generation_prompt" and any others. Absent ones get the values that callers of chat
  /// templates expect: tools and documents none, add_generation_prompt false. Neighbouring segments
  /// differ in provenance; none is empty. Errors: template.raised (by the template itself),
  /// template.failed, template.unsupported, template.budget.
  std::vector<Segment> render(const base::Json& context, const RenderOptions& options = {}) const;

  /// The same as one text.
  std::string render_text(const base::Json& context, const RenderOptions& options = {}) const;

  const std::string& source() const;

 private:
  explicit ChatTemplate(std::shared_ptr<const jinja::Template> parsed);
  std::shared_ptr<const jinja::Template> parsed_;
};

/// Makes messages as clients send them fit for templates: tool call arguments given as JSON text
/// become objects (text that is not a JSON object stays as it is). `messages` is an array of
/// messages; other shapes are left alone.
void normalize_messages(base::Json& messages);

}  // namespace tulou::text
