// Counting and sharing of values.
#include "text/template_value.h"

#include <algorithm>

#include "text/template_unicode.h"

namespace tulou::text::jinja {

void Heap::add(size_t bytes) {
  if (bytes > limit_ || used_ > limit_ - bytes) on_exhausted(owner);
  used_ += bytes;
}

Value Value::substring(size_t begin, size_t size) const {
  const std::string_view part = text().substr(begin, size);
  return string(part, part.empty() ? Origin::kTemplate : origin_, ascii_ || is_ascii(part), node_);
}

namespace {

// Room for one more element, counted before it is taken.
template <typename T>
void make_room(Node& node, std::vector<T>& items) {
  if (items.size() < items.capacity()) return;
  const size_t old = items.capacity();
  const size_t grown = old < 4 ? 4 : old * 2;
  node.charge(grown * sizeof(T));
  items.reserve(grown);
  node.heap->release(old * sizeof(T));
  node.charged -= old * sizeof(T);
}

void deepen(Node& node, const Value& item) {
  if (item.node() != nullptr && item.node()->depth >= node.depth)
    node.depth = static_cast<uint16_t>(item.node()->depth + 1);
}

}  // namespace

void ListNode::push(Value item) {
  make_room(*this, items);
  deepen(*this, item);
  items.push_back(std::move(item));
}

void DictNode::push(Value key, Value value) {
  make_room(*this, entries);
  deepen(*this, key);
  deepen(*this, value);
  entries.emplace_back(std::move(key), std::move(value));
}

void TextBuilder::append(std::string_view text, bool from_data) {
  if (text.empty()) return;
  std::string& out = node_->text;
  const size_t needed = out.size() + text.size();
  if (needed > out.capacity()) {
    // The old and the new buffer exist together for a moment.
    const size_t grown = std::max({needed, out.capacity() * 2, size_t{32}});
    const size_t old = out.capacity();
    node_->charge(grown);
    out.reserve(grown);
    if (old > 15 && node_->charged >= old + grown) {
      node_->heap->release(old);
      node_->charged -= old;
    }
  }
  std::vector<Run>& runs = node_->runs;
  if (any_data_ && any_template_) {
    if (runs.back().from_data != from_data) {
      if (runs.size() == runs.capacity()) node_->charge((runs.size() + 4) * sizeof(Run));
      runs.push_back({0, from_data});
    }
    runs.back().end = static_cast<uint32_t>(needed);
  } else if ((from_data ? any_template_ : any_data_)) {
    runs.push_back({static_cast<uint32_t>(out.size()), !from_data});
    runs.push_back({static_cast<uint32_t>(needed), from_data});
    node_->charge(2 * sizeof(Run));
  }
  (from_data ? any_data_ : any_template_) = true;
  out.append(text);
}

Value TextBuilder::finish() {
  const Origin origin = !any_data_       ? Origin::kTemplate
                        : !any_template_ ? Origin::kData
                                         : Origin::kMixed;
  TextNode* node = node_.get();
  const std::string_view text = node->text;
  return Value::string(text, origin, is_ascii(text), Ref<Node>(std::move(node_)));
}

}  // namespace tulou::text::jinja
