// What an answer must look like when it has to be, or may be, tool calls: a description that
// grammars are made of.
#pragma once

#include <string>

#include "base/json.h"
#include "text/tool_call_parser.h"

namespace tulou::completion {

/// What a request asks for with "tool_choice" and "parallel_tool_calls".
struct ToolChoice {
  enum class Mode {
    kAuto,      // text, then calls or none
    kRequired,  // at least one call, of any tool
    kNamed,     // calls of `name`
  };
  Mode mode = Mode::kRequired;
  std::string name;
  bool parallel = true;  // more than one call
};

/// The answers that are right for `tools` (as in OpenAI's requests), as a tree of JSON objects with
/// one of these keys:
///
///   "text": this text
///   "schema": JSON text of a value that the JSON Schema allows
///   "without": any text, also none, in which none of these strings occurs
///   "sequence": one after the other
///   "choice": one of them
///   "repeat": this, "min" to "max" times ("max" absent: any number of times)
///
/// ToolCallParser reads each such answer as calls whose arguments the tools' schemas allow.
/// `format` must not be kNone. In the XML form, strings are raw text: what a schema says of them
/// besides "type", "enum" and "const" cannot be kept there and is refused.
///
/// Errors: completion.message_type and completion.message_missing with the place in `tools`,
/// completion.no_such_tool, completion.tool_parameter.
base::Json tool_call_grammar(text::ToolCallFormat format, const base::Json& tools,
                             const ToolChoice& choice);

}  // namespace tulou::completion
