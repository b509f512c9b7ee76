// Finds tool calls in the text of an answer while it comes in, in the two forms that Qwen models
// are trained on: the XML form of Qwen3.5 and Qwen3-Coder and the Hermes form, which is JSON.
//
// What is not a call comes back as text, byte for byte: JSON that is broken, a tool that is not on
// the list, a parameter given twice, a call without its end, one that is too long. Nothing is
// repaired that could change a meaning, nothing is evaluated, and nothing throws. Tolerated, since
// the meaning is clear: white space between the tags; <function= without <tool_call>; an absent
// </tool_call> at the end of the text or before the next call; an absent </parameter> before
// </function></tool_call> or before a parameter that the tool has and that did not come yet; line
// ends and tabs that stand raw in JSON strings; arguments that are absent, null, or a string that
// holds the object. White space (at most kMaxSeamBytes) right before a call belongs to the call.
//
// A call is only known to be right once it has ended. With `stream_arguments` it is announced when
// its name is known and its arguments are shown as they come; if it breaks after that, kBroken
// takes it back: the call does not count (its index is not used again), and its whole source is
// text of the answer. Without, a call is shown only when it is complete, and kBroken never comes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tool_schema.h"

namespace tulou::text {

enum class ToolCallFormat { kNone, kXml, kHermes };

/// The form that a chat template teaches, judged by its source.
ToolCallFormat tool_call_format(std::string_view template_source);

inline constexpr size_t kMaxSeamBytes = 64;
inline constexpr size_t kMaxToolNameBytes = 256;

struct ToolCallOptions {
  ToolCallFormat format = ToolCallFormat::kNone;  // kNone: everything is text
  bool stream_arguments = true;
  int max_calls = 128;                      // what looks like further calls is text
  size_t max_call_bytes = size_t{1} << 20;  // of one call's source
};

struct ToolCallEvent {
  enum class Kind {
    kText,       // `text` belongs to the answer
    kBegin,      // `text` is the tool's name
    kArguments,  // `text` is the next piece of the arguments; joined they are a JSON object
    kEnd,        // the call is complete; `text` is its source in the answer
    kBroken,     // the call that was announced is none: `text`, its source, belongs to the answer
  };
  Kind kind = Kind::kText;
  int index = -1;  // of the call, from 0 on; -1 for kText
  std::string text;

  bool operator==(const ToolCallEvent&) const = default;
};

/// A valid tool name: 1 to kMaxToolNameBytes bytes, no white space, control characters, quotes,
/// backslashes or angle brackets.
bool is_tool_name(std::string_view name);

class CallReader;

/// One answer. The events, neighbouring texts and arguments joined, do not depend on how the text
/// is cut. The `text` of all kText, kEnd and kBroken events joined is the input. Holds at most
/// max_call_bytes of source, and the arguments made of it.
class ToolCallParser {
 public:
  /// `schemas` must outlive it.
  ToolCallParser(ToolCallOptions options, const ToolSchemas& schemas);
  ~ToolCallParser();
  ToolCallParser(ToolCallParser&&) noexcept;

  /// Takes the next piece of UTF-8 and appends events. If pieces are whole characters, so is the
  /// text of each event.
  void push(std::string_view piece, std::vector<ToolCallEvent>& events);
  /// No more text comes: what was held back.
  void finish(std::vector<ToolCallEvent>& events);

  /// True between the beginning of what may be a call and its end.
  bool in_call() const { return state_ != State::kText; }
  /// Calls that were completed.
  int num_calls() const { return num_calls_; }

 private:
  enum class State { kText, kCall, kClosing };
  using Kind = ToolCallEvent::Kind;
  using Events = std::vector<ToolCallEvent>;

  void step(char c, Events& events);
  void step_text(char c, Events& events);
  void step_call(char c, Events& events);
  void step_closing(char c, Events& events);
  void open_call(bool has_tag);
  void show_progress(Events& events);
  void end_call(Events& events);
  void break_call(Events& events);
  void add_text(std::string_view text, Events& events);
  void give_back(size_t bytes);

  ToolCallOptions options_;
  const ToolSchemas* schemas_;
  State state_ = State::kText;
  std::string todo_;    // bytes still to be taken
  std::string seam_;    // kText: white space that a call may take
  std::string held_;    // kText, kClosing: what may become a tag
  std::string source_;  // of the call, with the seam before it
  std::unique_ptr<CallReader> reader_;
  bool has_tag_ = false;    // the call began with <tool_call>
  bool announced_ = false;  // kBegin was shown
  size_t shown_bytes_ = 0;  // of the arguments
  int next_index_ = 0;
  int num_calls_ = 0;
};

}  // namespace tulou::text
