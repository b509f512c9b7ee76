// Statements and macros.
#include <algorithm>

#include "text/template_evaluator.h"
#include "text/template_loop.h"
#include "text/template_unicode.h"

namespace tulou::text::jinja {

void Output::append(Machine& m, std::string_view text, bool from_data) {
  constexpr size_t kPiece = 64u << 10;
  if (text.size() > limit_ - size_) m.exhausted("bytes of output", static_cast<int64_t>(limit_));
  size_ += text.size();
  while (!text.empty()) {
    if (pieces_.empty() || pieces_.back().from_data != from_data ||
        pieces_.back().text.size() >= kPiece)
      pieces_.push_back({"", from_data});
    std::string& piece = pieces_.back().text;
    const size_t part = std::min(text.size(), kPiece - piece.size());
    piece.append(text.substr(0, part));
    text.remove_prefix(part);
  }
}

std::vector<Segment> Output::take() {
  std::vector<Segment> out;
  for (size_t at = 0; at < pieces_.size();) {
    size_t end = at, size = 0;
    for (; end < pieces_.size() && pieces_[end].from_data == pieces_[at].from_data; ++end)
      size += pieces_[end].text.size();
    Segment segment = std::move(pieces_[at]);
    if (end > at + 1) segment.text.reserve(size);
    for (size_t i = at + 1; i < end; ++i) {
      segment.text += pieces_[i].text;
      pieces_[i].text = std::string();
    }
    out.push_back(std::move(segment));
    at = end;
  }
  pieces_.clear();
  return out;
}

void Evaluator::run() {
  enter(template_.loads);
  run(template_.body);
}

void Evaluator::enter(const std::vector<Load>& loads) {
  m_.step(static_cast<int64_t>(loads.size() / 4));
  for (const Load& load : loads) {
    switch (load.kind) {
      case LoadKind::kParameter:
        break;
      case LoadKind::kUndefined:
        frame_->slots[load.slot] = Value();
        break;
      case LoadKind::kResolve:
        frame_->slots[load.slot] = m_.resolve(load.name);
        break;
      case LoadKind::kAlias:
        frame_->slots[load.slot] = slot(load.alias);
        break;
    }
  }
}

void Evaluator::leave(const std::vector<Load>& loads) {
  for (const Load& load : loads) frame_->slots[load.slot] = Value();
}

Evaluator::Flow Evaluator::run(const Body& body) {
  const Machine::Deeper deeper(m_);
  for (const StmtPtr& stmt : body) {
    const Flow flow = run(*stmt);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::run(const Stmt& stmt) {
  m_.at(stmt.offset);
  m_.step();
  switch (stmt.kind) {
    case StmtKind::kOutput:
      run_output(stmt);
      return Flow::kNormal;
    case StmtKind::kSet:
      assign(*stmt.targets[0], eval(*stmt.exprs[0]));
      return Flow::kNormal;
    case StmtKind::kSetBlock:
      return run_set_block(stmt);
    case StmtKind::kIf:
      return run_if(stmt);
    case StmtKind::kFor:
      return run_for(stmt);
    case StmtKind::kMacro:
      assign(*stmt.targets[0], make_macro(stmt));
      return Flow::kNormal;
    case StmtKind::kCallBlock:
      run_call_block(stmt);
      return Flow::kNormal;
    case StmtKind::kFilterBlock:
      return run_filter_block(stmt);
    case StmtKind::kWith:
      return run_with(stmt);
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
    case StmtKind::kGeneration: {
      const Value body = make_macro(stmt);
      emit(call_macro(body.as<MacroNode>(), {}));
      return Flow::kNormal;
    }
  }
  return Flow::kNormal;
}

void Evaluator::emit(const Value& value) {
  if (value.is_undefined()) return;
  const Value text = value.is_string() ? value : to_string(m_, value);
  m_.work(text.text().size());
  if (capture_ != nullptr) {
    capture_->append(text);
  } else {
    text.each_run([this](std::string_view run, bool data) { output_.append(m_, run, data); });
  }
}

void Evaluator::run_output(const Stmt& stmt) {
  for (const ExprPtr& expr : stmt.exprs) emit(eval(*expr));
}

Evaluator::Flow Evaluator::run_if(const Stmt& stmt) {
  if (truthy(eval(*stmt.condition))) return run(stmt.body);
  for (const StmtPtr& branch : stmt.elifs)
    if (truthy(eval(*branch->condition))) return run(branch->body);
  return run(stmt.otherwise);
}

void Evaluator::assign(const Expr& target, Value value) {
  m_.at(target.offset);
  if (target.kind == ExprKind::kName) {
    slot(target.variable) = std::move(value);
    return;
  }
  if (target.kind == ExprKind::kNamespaceRef) {
    const Value object = slot(target.variable);
    if (!set_namespace(m_, object, target.text2, std::move(value)))
      m_.fail("an attribute can only be set on a namespace, which '" + target.text + "' is not");
    return;
  }
  const Ref<ListNode> items = to_list(m_, value);
  if (items->items.size() != target.children.size())
    m_.fail("expected " + std::to_string(target.children.size()) + " values to unpack, got " +
            std::to_string(items->items.size()));
  for (size_t i = 0; i < items->items.size(); ++i) assign(*target.children[i], items->items[i]);
}

// The items of a loop, filtered as they are asked for.
struct Evaluator::ItemSource : LoopSource {
  ItemSource(Evaluator& the_evaluator, const Stmt& the_stmt, const Value& the_items)
      : evaluator(the_evaluator),
        frame(the_evaluator.frame_),
        stmt(the_stmt),
        items(the_items),
        each(the_evaluator.m_, items) {}

  bool next(Value& out) override {
    if (!stmt.condition) return each.next(out);
    // A macro may be asking, through a loop given to it.
    Ref<ActivationNode> asking = std::exchange(evaluator.frame_, frame);
    bool found = false;
    while (!found && each.next(out)) {
      evaluator.assign(*stmt.test_targets[0], out);
      found = truthy(evaluator.eval(*stmt.condition));
    }
    evaluator.frame_ = std::move(asking);
    return found;
  }
  int64_t known_length() override {
    return stmt.condition || items.is(Kind::kGenerator) ? -1 : length(evaluator.m_, items);
  }

  Evaluator& evaluator;
  const Ref<ActivationNode> frame;
  const Stmt& stmt;
  const Value items;
  Iterator each;
};

Evaluator::Flow Evaluator::run_for(const Stmt& stmt) {
  const Value items = eval(*stmt.exprs[0]);
  m_.at(stmt.offset);
  ItemSource source(*this, stmt, items);
  Ref<LoopNode> loop = make_node<LoopNode>(m_.heap());
  loop->source = &source;
  // However the loop ends, what refers to it must not refer to the source any more.
  struct End {
    LoopNode& loop;
    ~End() { loop.end(); }
  } end{*loop};
  enter(stmt.test_loads);
  bool completed = false;
  for (Value item; loop->advance(item);) {
    m_.step();
    if (stmt.has_loop_slot) frame_->slots[stmt.loop_slot] = Value::object(Kind::kLoop, loop);
    assign(*stmt.targets[0], std::move(item));
    enter(stmt.loads);
    const Flow flow = run(stmt.body);
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kNormal) completed = true;
  }
  leave(stmt.loads);
  leave(stmt.test_loads);
  // As in Jinja, only an iteration that reached its end keeps the else branch from running.
  if (completed || stmt.otherwise.empty()) return Flow::kNormal;
  enter(stmt.else_loads);
  const Flow flow = run(stmt.otherwise);
  leave(stmt.else_loads);
  return flow;
}

Evaluator::Flow Evaluator::run_set_block(const Stmt& stmt) {
  TextBuilder buffer(m_.heap());
  TextBuilder* const outer = std::exchange(capture_, &buffer);
  enter(stmt.loads);
  const Flow flow = run(stmt.body);
  capture_ = outer;
  if (flow == Flow::kNormal) {
    Value value = buffer.finish();
    if (stmt.condition) value = eval_filter(*stmt.condition, &value);
    assign(*stmt.targets[0], std::move(value));
  }
  leave(stmt.loads);
  return flow;
}

Evaluator::Flow Evaluator::run_filter_block(const Stmt& stmt) {
  TextBuilder buffer(m_.heap());
  TextBuilder* const outer = std::exchange(capture_, &buffer);
  enter(stmt.loads);
  const Flow flow = run(stmt.body);
  capture_ = outer;
  if (flow == Flow::kNormal) {
    const Value text = buffer.finish();
    emit(eval_filter(*stmt.condition, &text));
  }
  leave(stmt.loads);
  return flow;
}

Evaluator::Flow Evaluator::run_with(const Stmt& stmt) {
  enter(stmt.loads);
  for (size_t i = 0; i < stmt.targets.size(); ++i) assign(*stmt.targets[i], eval(*stmt.exprs[i]));
  const Flow flow = run(stmt.body);
  leave(stmt.loads);
  return flow;
}

void Evaluator::run_call_block(const Stmt& stmt) {
  const Value caller = make_macro(stmt);
  emit(eval_call(*stmt.condition, &caller));
}

Value Evaluator::make_macro(const Stmt& stmt) {
  Ref<MacroNode> node = make_node<MacroNode>(m_.heap());
  node->stmt = &stmt;
  node->scope = frame_;
  node->depth = 1;
  if (!frame_->kept) {
    frame_->kept = true;
    frame_->charge(2 * sizeof(frame_));
    m_.keep(frame_);
  }
  return Value::object(Kind::kMacro, std::move(node));
}

// The named argument, removed; missing if it was not given.
Value Evaluator::take_named(CallArgs& args, std::string_view name) {
  for (auto entry = args.named.begin(); entry != args.named.end(); ++entry) {
    if (entry->first != name) continue;
    Value value = std::move(entry->second);
    args.named.erase(entry);
    return value;
  }
  return Value();
}

// Puts arguments into the slots of the new frame, in Jinja's order of who gets what.
void Evaluator::bind_macro(const Function& function, CallArgs& args) {
  const size_t count = function.parameters.size();
  const size_t given = std::min(count, args.positional.size());
  bool found_caller = given == count && function.explicit_caller;
  for (size_t i = 0; i < count; ++i) {
    if (i >= given && function.parameters[i] == "caller") found_caller = true;
    frame_->slots[function.parameter_slots[i]] =
        i < given ? args.positional[i] : take_named(args, function.parameters[i]);
  }
  if (function.uses_caller && !found_caller) {
    Value caller = take_named(args, "caller");
    if (caller.is(Kind::kMissing) || caller.is(Kind::kNone)) caller = Value::undefined("caller");
    if (!function.explicit_caller) frame_->slots[function.caller_slot] = std::move(caller);
  }
  if (function.uses_kwargs) {
    Ref<DictNode> rest = m_.new_dict();
    for (const auto& [name, value] : args.named) dict_set(m_, *rest, m_.text(name), value);
    frame_->slots[function.kwargs_slot] = m_.dict(std::move(rest));
  } else if (!args.named.empty()) {
    m_.fail("the macro '" + function.name + "' has no argument '" + args.named[0].first + "'");
  }
  if (function.uses_varargs) {
    Ref<ListNode> rest = m_.new_list();
    for (size_t i = given; i < args.positional.size(); ++i) rest->push(args.positional[i]);
    frame_->slots[function.varargs_slot] = m_.list(std::move(rest), Kind::kTuple);
  } else if (args.positional.size() > count) {
    m_.fail("the macro '" + function.name + "' takes not more than " + std::to_string(count) +
            " arguments");
  }
}

Value Evaluator::call_macro(const MacroNode& macro, CallArgs args) {
  const Stmt& stmt = *macro.stmt;
  const Function& function = *stmt.function;
  if (m_.macro_depth >= m_.options().budget.max_depth)
    m_.exhausted("macro calls inside each other", m_.options().budget.max_depth);
  ++m_.macro_depth;
  Ref<ActivationNode> activation = make_node<ActivationNode>(m_.heap(), function.num_slots);
  activation->outer = macro.scope;
  Ref<ActivationNode> outer_frame = std::exchange(frame_, std::move(activation));
  TextBuilder buffer(m_.heap());
  TextBuilder* const outer_capture = std::exchange(capture_, &buffer);
  bind_macro(function, args);
  enter(stmt.loads);
  const size_t without_default = function.parameters.size() - function.defaults.size();
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    Value& parameter = frame_->slots[function.parameter_slots[i]];
    if (!parameter.is(Kind::kMissing)) continue;
    if (i < without_default) {
      parameter = Value::undefined(function.parameters[i]);
    } else {
      Value value = eval(*function.defaults[i - without_default]);
      frame_->slots[function.parameter_slots[i]] = std::move(value);
    }
  }
  run(stmt.body);
  capture_ = outer_capture;
  frame_ = std::move(outer_frame);
  --m_.macro_depth;
  return buffer.finish();
}

}  // namespace tulou::text::jinja
