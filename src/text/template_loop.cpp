// Attributes of the special variable `loop`. Looking ahead happens only when it is asked for, as a
// loop's filter may depend on what the body did.
#include "text/template_loop.h"

namespace tulou::text::jinja {

bool LoopNode::fetch(Value& out) {
  if (ahead) {
    if (ahead_at >= ahead->items.size()) return false;
    out = ahead->items[ahead_at++];
    return true;
  }
  return source != nullptr && source->next(out);
}

bool LoopNode::peek() {
  if (peeked) return true;
  if (at_end || !fetch(after)) {
    at_end = true;
    return false;
  }
  peeked = true;
  return true;
}

bool LoopNode::advance(Value& out) {
  if (peeked) {
    out = std::move(after);
    peeked = false;
  } else if (at_end || !fetch(out)) {
    at_end = true;
    return false;
  }
  ++index0;
  before = std::move(current);
  current = out;
  return true;
}

void LoopNode::end() {
  source = nullptr;
  at_end = true;
  peeked = false;
  before = current = after = last_changed = Value();
  ahead = {};
}

int64_t loop_length(Machine& m, LoopNode& loop) {
  if (loop.length >= 0) return loop.length;
  if (loop.source != nullptr && loop.source->known_length() >= 0)
    return loop.length = loop.source->known_length();
  Ref<ListNode> rest = m.new_list();
  for (Value item; loop.source != nullptr && loop.source->next(item);) rest->push(item);
  loop.ahead = rest;
  loop.ahead_at = 0;
  loop.length = static_cast<int64_t>(rest->items.size()) + loop.index0 + 1 + (loop.peeked ? 1 : 0);
  return loop.length;
}

Value loop_attribute(Machine& m, const Value& value, std::string_view name) {
  auto& loop = value.as<LoopNode>();
  if (name == "index") return Value::integer(loop.index0 + 1);
  if (name == "index0") return Value::integer(loop.index0);
  if (name == "first") return Value::boolean(loop.index0 == 0);
  if (name == "last") return Value::boolean(!loop.peek());
  if (name == "length") return Value::integer(loop_length(m, loop));
  if (name == "revindex") return Value::integer(loop_length(m, loop) - loop.index0);
  if (name == "revindex0") return Value::integer(loop_length(m, loop) - loop.index0 - 1);
  if (name == "previtem") return loop.index0 == 0 ? Value::undefined() : loop.before;
  if (name == "nextitem") return loop.peek() ? loop.after : Value::undefined();
  if (name == "depth") return Value::integer(1);
  if (name == "depth0") return Value::integer(0);
  if (name != "cycle" && name != "changed") return Value();
  Ref<MethodNode> node = make_node<MethodNode>(m.heap());
  node->self = value;
  node->method = *find_method(value, name);
  return Value::object(Kind::kMethod, std::move(node));
}

bool loop_changed(Machine& m, LoopNode& loop, const CallArgs& args) {
  // What an ended loop kept, nothing would ever drop.
  if (loop.source == nullptr) m.refuse("loop.changed after the loop");
  Ref<ListNode> items = m.new_list();
  for (const Value& item : args.positional) items->push(item);
  Value now = m.list(std::move(items), Kind::kTuple);
  if (loop.last_changed.is(Kind::kTuple) && equal(m, loop.last_changed, now)) return false;
  loop.last_changed = std::move(now);
  return true;
}

}  // namespace tulou::text::jinja
