// Messages as OpenAI's clients send them, checked and brought into the form that chat templates
// take.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tulou::completion {

struct MessageRules {
  size_t max_messages = 16384;
  size_t max_bytes = size_t{16} << 20;  // of all texts together
  /// Lines that known agents change from request to request are moved behind the system text, or
  /// dropped where they say nothing to a model, so that what stands before them is the same prompt
  /// again: see docs/tool-calls.md for the patterns.
  bool settle_volatile_lines = true;
};

/// The messages for a template. `messages` is a list of objects with "role" and "content".
///
/// - "developer" is "system"; "function" is "tool". All system messages become one at the
///   beginning, in order, separated by an empty line.
/// - Content is text, null, or a list of {"type": "text", "text"} parts, which are joined
///   ("input_text", "output_text" and "refusal" parts likewise).
/// - Tool calls become {"type": "function", "id", "function": {"name", "arguments"}} with
///   arguments as an object: parsed if they are JSON text of one, {} if they are absent or empty,
///   else {"arguments": TEXT}, for a client may send back a call that broke off.
/// - "reasoning_content" or "reasoning" of the assistant becomes "reasoning_content".
/// - "name" and "tool_call_id" stay; other fields are left out.
///
/// Errors name the place, as in messages[3].content: completion.message_type,
/// completion.message_role, completion.message_missing, completion.message_image,
/// completion.too_many_messages, completion.messages_too_large, completion.no_messages.
base::Json template_messages(const base::Json& messages, const MessageRules& rules = {});

/// System text with volatile lines dropped or moved to its end. Text without any stays as it is.
std::string settle_volatile_lines(std::string_view system);

}  // namespace tulou::completion
