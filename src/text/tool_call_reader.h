// Reads one tool call, a byte at a time: what stands between the tags. Used by ToolCallParser only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tool_schema.h"

namespace tulou::text {

class CallReader {
 public:
  enum class Status {
    kMore,
    kDone,    // complete with this byte (but for leftover())
    kBroken,  // this byte does not fit and was not taken
  };

  virtual ~CallReader() = default;

  virtual Status push(char c) = 0;

  /// The tool's name; empty until the call may be announced.
  const std::string& name() const { return name_; }
  /// The arguments as far as they are certain: JSON text that only grows; a whole object once done.
  std::string_view arguments() const { return named() ? arguments_ : std::string_view(); }
  /// Bytes at the end of what was taken that turned out to stand behind the call, or behind what
  /// broke it.
  const std::string& leftover() const { return leftover_; }

 protected:
  bool named() const { return !name_.empty(); }

  std::string name_, arguments_, leftover_;
};

/// <function=NAME> <parameter=KEY> VALUE </parameter> ... </function>
class XmlCallReader : public CallReader {
 public:
  /// `in_function`: "<function=" was read already. `schemas` must outlive it.
  XmlCallReader(const ToolSchemas& schemas, bool in_function);
  Status push(char c) override;

 private:
  enum class State { kBegin, kName, kBody, kKey, kValue, kDone };
  enum class Tag { kMore, kNone, kFunctionEnd, kParameter, kKnownParameter, kCallEnd };

  Status step(char c);
  Status step_tag(char c);
  Status begin_function();
  Status begin_parameter();
  void step_value(char c);
  Tag find_value_end() const;
  Tag find_known_parameter(std::string_view text) const;
  void end_value(Tag tag);
  void add_value_byte(char c);
  void end_arguments();

  const ToolSchemas& schemas_;
  const ToolSchemas::Parameters* parameters_ = nullptr;
  State state_;
  std::string todo_;   // bytes still to be taken
  std::string held_;   // what may become a tag
  std::string key_;    // the name that is being read
  std::string value_;  // of a parameter that is converted at its end
  std::vector<std::string> keys_;
  JsonTypes types_ = 0;  // of the parameter
  bool at_value_begin_ = false;
};

/// {"name": NAME, "arguments": {...}}, in any order
class JsonCallReader : public CallReader {
 public:
  explicit JsonCallReader(const ToolSchemas& schemas) : schemas_(schemas) {}
  Status push(char c) override;

 private:
  enum class State { kBegin, kKey, kKeyText, kColon, kValue, kText, kNull, kObject, kNext };
  enum class Member { kName, kArguments };

  Status step_key(char c);
  Status step_value(char c);
  Status step_text(char c);
  Status step_object(char c);
  Status step_object_text(char c);
  Status end_text();
  Status end_name(std::string name);
  Status end_call();
  void announce();

  const ToolSchemas& schemas_;
  State state_ = State::kBegin;
  Member member_ = Member::kName;
  std::string token_;       // a string, with its quotes, or a literal
  std::string found_name_;  // shown as name() only once the arguments begin
  bool has_arguments_ = false;
  std::string nesting_;  // the brackets that are open inside the arguments
  bool in_string_ = false, escaped_ = false;
};

}  // namespace tulou::text
