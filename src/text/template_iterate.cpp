// What can be iterated, and how.
#include "text/template_machine.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

bool iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
    case Kind::kGenerator:
      return true;
    default:
      return false;
  }
}

Iterator::Iterator(Machine& m, const Value& value) : m_(m), value_(value) {
  if (value.is(Kind::kLoop) || value.is(Kind::kCycler))
    m.refuse("iterating over a value of type " + std::string(type_name(value)));
  if (!iterable(value))
    m.fail("a value of type " + std::string(type_name(value)) + " cannot be iterated");
}

bool Iterator::next(Value& out) {
  m_.step();
  switch (value_.kind()) {
    case Kind::kString: {
      const std::string_view text = value_.text();
      if (at_ >= text.size()) return false;
      size_t size = 0;
      code_point_at(text, at_, size);
      out = value_.substring(at_, size);
      at_ += size;
      return true;
    }
    case Kind::kList:
    case Kind::kTuple: {
      const auto& items = value_.as<ListNode>().items;
      if (at_ >= items.size()) return false;
      out = items[at_++];
      return true;
    }
    case Kind::kDict: {
      const auto& entries = value_.as<DictNode>().entries;
      if (at_ >= entries.size()) return false;
      out = entries[at_++].first;
      return true;
    }
    case Kind::kRange:
      if (at_ >= static_cast<size_t>(value_.as<RangeNode>().size)) return false;
      out = value_.as<RangeNode>().at(static_cast<int64_t>(at_++));
      return true;
    case Kind::kView: {
      const auto& view = value_.as<ViewNode>();
      const auto& entries = view.dict.as<DictNode>().entries;
      if (at_ >= entries.size()) return false;
      const auto& [key, item] = entries[at_++];
      out = view.view == ViewKind::kKeys     ? key
            : view.view == ViewKind::kValues ? item
                                             : m_.tuple(key, item);
      return true;
    }
    case Kind::kGenerator: {
      auto& node = value_.as<GeneratorNode>();
      if (node.next >= node.items.size()) return false;
      out = std::move(node.items[node.next++]);
      return true;
    }
    default:
      return false;
  }
}

Ref<ListNode> to_list(Machine& m, const Value& value) {
  Ref<ListNode> out = m.new_list();
  Iterator each(m, value);
  for (Value item; each.next(item);) out->push(std::move(item));
  return out;
}

}  // namespace tulou::text::jinja
