// The special variable `loop`: where a for loop stands.
#pragma once

#include <string_view>

#include "text/template_machine.h"

namespace tulou::text::jinja {

// Gives the items of a loop; those that its filter refuses are left out.
class LoopSource {
 public:
  virtual ~LoopSource() = default;
  virtual bool next(Value& out) = 0;
  // The number of all items if it is known without evaluating the filter, else -1.
  virtual int64_t known_length() = 0;
};

struct LoopNode : Node {
  LoopSource* source = nullptr;  // null once the loop has ended
  int64_t index0 = -1;
  int64_t length = -1;  // not yet known
  Value before, current;
  Value after;  // the next item if `peeked`
  bool peeked = false, at_end = false;
  Ref<ListNode> ahead;  // items fetched to learn the length
  size_t ahead_at = 0;
  Value last_changed;  // the arguments of changed()
  explicit LoopNode(Heap& the_heap) : Node(the_heap, sizeof(LoopNode)) {}

  // Moves to the next item; false at the end.
  bool advance(Value& out);
  // Fetches the next item without moving; false if there is none.
  bool peek();
  // Drops everything it refers to.
  void end();

 private:
  bool fetch(Value& out);
};

Value loop_attribute(Machine& m, const Value& loop, std::string_view name);
bool loop_changed(Machine& m, LoopNode& loop, const CallArgs& args);
int64_t loop_length(Machine& m, LoopNode& loop);

}  // namespace tulou::text::jinja
