// The values of a template while it is rendered: Python's numbers, strings, lists and so on. A
// string remembers which of its bytes came from data. Values belong to one rendering and are
// counted by its Heap; they refer to the template and the context, which must outlive them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tulou::text::jinja {

class Machine;

// What is counted of one rendering. Exceeding the limit throws.
class Heap {
 public:
  explicit Heap(size_t limit) : limit_(limit) {}
  void add(size_t bytes);
  void release(size_t bytes) { used_ -= bytes; }
  size_t used() const { return used_; }
  // Called when the limit is exceeded; throws.
  void (*on_exhausted)(void* owner) = nullptr;
  void* owner = nullptr;

 private:
  size_t limit_;
  size_t used_ = 0;
};

// Bytes that are counted while it lives.
class HeapLoan {
 public:
  HeapLoan(Heap& heap, size_t bytes) : heap_(heap), bytes_(bytes) { heap_.add(bytes); }
  ~HeapLoan() { heap_.release(bytes_); }
  HeapLoan(const HeapLoan&) = delete;
  HeapLoan& operator=(const HeapLoan&) = delete;

 private:
  Heap& heap_;
  size_t bytes_;
};

enum class Kind : uint8_t {
  kMissing,  // a variable without a value: reading it gives kUndefined. Also an absent argument
  kUndefined,
  kNone,
  kBoolean,
  kInteger,
  kUnsigned,  // above the range of kInteger
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,       // of a dict: items(), keys(), values()
  kGenerator,  // what may be iterated once
  kNamespace,
  kMacro,
  kMethod,    // of a value, not yet called
  kFunction,  // a global one
  kLoop,
  kCycler,
  kJoiner,
};

// Shared parts of values. Counted references, not atomic: one rendering is one thread.
struct Node {
  Heap* heap;
  size_t charged;  // bytes counted in the heap
  uint32_t references = 0;
  uint16_t depth = 1;  // of containers inside each other

  // Every allocation costs the allocator some bytes too.
  Node(Heap& the_heap, size_t bytes) : heap(&the_heap), charged(bytes + 16) {
    the_heap.add(charged);
  }
  virtual ~Node() { heap->release(charged); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  void charge(size_t bytes) {
    heap->add(bytes);
    charged += bytes;
  }
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* node) : node_(node) { acquire(); }
  Ref(const Ref& other) : node_(other.node_) { acquire(); }
  Ref(Ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  template <typename U, typename = std::enable_if_t<std::is_base_of_v<T, U>>>
  Ref(Ref<U> other) : node_(other.detach()) {}  // NOLINT: a shared part is a node
  Ref& operator=(Ref other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Ref() {
    if (node_ != nullptr && --node_->references == 0) delete node_;
  }
  T* get() const { return node_; }
  T* operator->() const { return node_; }
  T& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }
  T* detach() { return std::exchange(node_, nullptr); }

 private:
  void acquire() {
    if (node_ != nullptr) ++node_->references;
  }
  T* node_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> make_node(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

// The provenance of a string's bytes.
enum class Origin : uint8_t { kTemplate, kData, kMixed };

struct Run {  // bytes up to `end` (from the run before) of one provenance
  uint32_t end = 0;
  bool from_data = false;
};

struct TextNode : Node {
  std::string text;
  std::vector<Run> runs;  // of kMixed strings
  using Node::Node;
};

class Value {
 public:
  Value() = default;  // missing
  // `name` is kept alive by the template or by `owner`.
  static Value undefined(std::string_view name = {}, Ref<Node> owner = {}) {
    Value value(Kind::kUndefined);
    value.node_ = std::move(owner);
    value.chars_ = name.data();
    value.size_ = static_cast<uint32_t>(name.size());
    return value;
  }
  static Value none() { return Value(Kind::kNone); }
  static Value boolean(bool from) { return number(Kind::kBoolean, from); }
  static Value integer(int64_t from) { return number(Kind::kInteger, from); }
  static Value unsigned_integer(uint64_t from) {
    return from <= INT64_MAX ? integer(static_cast<int64_t>(from))
                             : number(Kind::kUnsigned, static_cast<int64_t>(from));
  }
  static Value real(double from) {
    Value value(Kind::kFloat);
    value.real_ = from;
    return value;
  }
  // A string whose bytes live elsewhere (in the template, the context, or `owner`).
  static Value string(std::string_view text, Origin origin, bool ascii, Ref<Node> owner = {}) {
    Value value(Kind::kString);
    value.chars_ = text.data();
    value.size_ = static_cast<uint32_t>(text.size());
    value.origin_ = origin;
    value.ascii_ = ascii;
    value.node_ = std::move(owner);
    return value;
  }
  static Value object(Kind kind, Ref<Node> node) {
    Value value(kind);
    value.node_ = std::move(node);
    return value;
  }
  static Value function(uint32_t index) { return number(Kind::kFunction, index); }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined || kind_ == Kind::kMissing; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_integral() const { return kind_ == Kind::kInteger || kind_ == Kind::kBoolean; }
  bool is_number() const {
    return is_integral() || kind_ == Kind::kFloat || kind_ == Kind::kUnsigned;
  }
  int64_t as_integer() const { return integer_; }  // of kInteger, kBoolean, kFunction
  uint64_t as_unsigned() const { return static_cast<uint64_t>(integer_); }
  double as_real() const { return real_; }
  std::string_view text() const { return {chars_, size_}; }  // of kString; name of kUndefined
  Origin origin() const { return origin_; }                  // of kString
  // For other kinds: whether the value as a whole came from data.
  bool from_data() const { return origin_ == Origin::kData; }
  Value with_origin(Origin origin) && {
    origin_ = origin;
    return std::move(*this);
  }
  bool ascii() const { return ascii_; }
  bool markup() const { return markup_; }  // a string that filters escape or safe made
  Value with_markup(bool markup) && {
    markup_ = markup;
    return std::move(*this);
  }
  Node* node() const { return node_.get(); }
  const Ref<Node>& shared() const { return node_; }
  template <typename T>
  T& as() const {
    return static_cast<T&>(*node_);
  }

  // Substring by bytes, sharing the text.
  Value substring(size_t begin, size_t size) const;
  // The runs of provenance of this string, clipped to it.
  template <typename F>
  void each_run(F&& visit) const;

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  static Value number(Kind kind, int64_t from) {
    Value value(kind);
    value.integer_ = from;
    return value;
  }

  Kind kind_ = Kind::kMissing;
  Origin origin_ = Origin::kTemplate;
  bool ascii_ = true;
  bool markup_ = false;
  uint32_t size_ = 0;
  union {
    int64_t integer_ = 0;
    double real_;
    const char* chars_;
  };
  Ref<Node> node_;
};

template <typename F>
void Value::each_run(F&& visit) const {
  if (origin_ != Origin::kMixed) {
    if (size_ > 0) visit(text(), origin_ == Origin::kData);
    return;
  }
  const auto& node = as<TextNode>();
  const size_t begin = static_cast<size_t>(chars_ - node.text.data());
  const size_t end = begin + size_;
  // The first run that ends behind the beginning.
  size_t low = 0, high = node.runs.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (node.runs[middle].end > begin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  for (size_t at = begin; at < end; ++low) {
    const size_t stop = node.runs[low].end < end ? node.runs[low].end : end;
    visit(std::string_view(node.text).substr(at, stop - at), node.runs[low].from_data);
    at = stop;
  }
}

struct ListNode : Node {  // also of tuples
  std::vector<Value> items;
  bool is_group = false;  // a tuple of groupby, whose parts have names
  explicit ListNode(Heap& the_heap, size_t bytes = sizeof(ListNode)) : Node(the_heap, bytes) {}
  void push(Value item);
};

struct DictNode : Node {
  std::vector<std::pair<Value, Value>> entries;
  std::vector<uint32_t> index;  // open addressing, entry number + 1; empty while small
  explicit DictNode(Heap& the_heap) : Node(the_heap, sizeof(DictNode)) {}
  void push(Value key, Value value);  // the key is known to be new
};

struct RangeNode : Node {
  int64_t start = 0, step = 1, size = 0, stop = 0;
  explicit RangeNode(Heap& the_heap) : Node(the_heap, sizeof(RangeNode)) {}
  Value at(int64_t position) const { return Value::integer(start + position * step); }
};

enum class ViewKind : uint8_t { kItems, kKeys, kValues };

struct ViewNode : Node {
  Value dict;
  ViewKind view = ViewKind::kItems;
  explicit ViewNode(Heap& the_heap) : Node(the_heap, sizeof(ViewNode)) {}
};

struct GeneratorNode : ListNode {
  size_t next = 0;
  explicit GeneratorNode(Heap& the_heap) : ListNode(the_heap, sizeof(GeneratorNode)) {}
};

struct NamespaceNode : Node {
  Value attributes;  // a dict of its own
  explicit NamespaceNode(Heap& the_heap) : Node(the_heap, sizeof(NamespaceNode)) {}
};

struct CyclerNode : ListNode {
  size_t position = 0;
  explicit CyclerNode(Heap& the_heap) : ListNode(the_heap, sizeof(CyclerNode)) {}
};

struct JoinerNode : Node {
  Value separator;
  bool used = false;
  explicit JoinerNode(Heap& the_heap) : Node(the_heap, sizeof(JoinerNode)) {}
};

struct MethodNode : Node {
  Value self;
  uint32_t method = 0;
  explicit MethodNode(Heap& the_heap) : Node(the_heap, sizeof(MethodNode)) {}
};

// Builds a string piece by piece, keeping provenance, within the heap's limit.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : node_(make_node<TextNode>(heap, sizeof(TextNode))) {}

  void append(std::string_view text, bool from_data);
  void append(const Value& string) {
    string.each_run([this](std::string_view text, bool data) { append(text, data); });
  }
  size_t size() const { return node_->text.size(); }
  Value finish();

 private:
  Ref<TextNode> node_;
  bool any_data_ = false;
  bool any_template_ = false;
};

}  // namespace tulou::text::jinja
