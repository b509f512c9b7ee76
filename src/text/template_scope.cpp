// Walks the tree twice a scope: first to learn its names, then to give every name its slot.
#include "text/template_scope.h"

#include <algorithm>
#include <array>
#include <deque>

#include "base/error.h"
#include "text/template_filters.h"
#include "text/template_symbols.h"

namespace tulou::text::jinja {
namespace {

class Resolver {
 public:
  explicit Resolver(Template& result) : template_(result) {}

  void run() {
    FunctionScope& function = functions_.emplace_back();
    Symbols root(nullptr, &function, &work_);
    learn(root, template_.body);
    resolve(template_.body, root, false);
    template_.loads = root.loads();
    template_.num_slots = function.num_slots;
  }

 private:
  // Learning the names.
  void learn(Symbols& scope, const Body& body) {
    for (const StmtPtr& stmt : body) learn(scope, *stmt);
  }
  void learn(Symbols& scope, const Stmt& stmt);
  void learn_if(Symbols& scope, const Stmt& stmt);
  void learn(Symbols& scope, const Expr* expr);
  void learn_target(Symbols& scope, const Expr& target, bool parameter);
  void learn_function(Symbols& scope, const Stmt& stmt);

  // Giving out the slots.
  void resolve(const Body& body, Symbols& frame, bool soft) {
    for (const StmtPtr& stmt : body) resolve(*stmt, frame, soft);
  }
  void resolve(Stmt& stmt, Symbols& frame, bool soft);
  void resolve_for(Stmt& stmt, Symbols& frame, bool soft);
  void resolve_function(Stmt& stmt, Symbols& frame);
  void resolve_nested(Stmt& stmt, Symbols& frame, bool soft);
  void resolve(Expr* expr, const Symbols& frame, bool soft);
  VariableRef ref(std::string_view name, const Symbols& frame, uint32_t offset) const;

  Symbols inner(const Symbols& frame) { return Symbols(&frame, frame.function(), &work_); }
  void check_work(uint32_t offset) const;
  [[noreturn]] void fail(const char* id, uint32_t offset, const std::string& what) const {
    const auto [line, column] = position_of(template_.source, offset);
    throw base::Error(id, template_.name, line, column, what);
  }

  Template& template_;
  ResolveWork work_;
  std::deque<FunctionScope> functions_;
};

void Resolver::check_work(uint32_t offset) const {
  if (!work_.spent) return;
  const auto [line, column] = position_of(template_.source, offset);
  throw base::Error("template.too_large", template_.name, line, column, "number of variables",
                    1000);
}

void Resolver::learn(Symbols& scope, const Expr* expr) {
  if (expr == nullptr) return;
  if (expr->kind == ExprKind::kName) scope.load(expr->text);
  for (const ExprPtr& child : expr->children) learn(scope, child.get());
  if (!expr->arguments) return;
  for (const ExprPtr& value : expr->arguments->positional) learn(scope, value.get());
  for (const auto& [name, value] : expr->arguments->named) learn(scope, value.get());
  learn(scope, expr->arguments->star.get());
  learn(scope, expr->arguments->star_star.get());
}

void Resolver::learn_target(Symbols& scope, const Expr& target, bool parameter) {
  if (target.kind == ExprKind::kNamespaceRef) {
    scope.load(target.text);
  } else if (target.kind == ExprKind::kName) {
    if (parameter) {
      scope.declare_parameter(target.text);
    } else {
      scope.store(target.text);
    }
  }
  for (const ExprPtr& child : target.children) learn_target(scope, *child, parameter);
}

void Resolver::learn_if(Symbols& scope, const Stmt& stmt) {
  learn(scope, stmt.condition.get());
  std::vector<Symbols> branches(3, scope);
  learn(branches[0], stmt.body);
  for (const StmtPtr& branch : stmt.elifs) learn(branches[1], *branch);
  learn(branches[2], stmt.otherwise);
  scope.merge_branches(branches);
}

// What a statement means for the scope it stands in; the scopes it opens are not looked into.
void Resolver::learn(Symbols& scope, const Stmt& stmt) {
  check_work(stmt.offset);
  switch (stmt.kind) {
    case StmtKind::kIf:
      learn_if(scope, stmt);
      break;
    case StmtKind::kMacro:
      learn_target(scope, *stmt.targets[0], false);
      break;
    case StmtKind::kSetBlock:
      learn_target(scope, *stmt.targets[0], false);
      break;
    case StmtKind::kCallBlock:
    case StmtKind::kFilterBlock:
      learn(scope, stmt.condition.get());
      break;
    case StmtKind::kOutput:
    case StmtKind::kFor:
    case StmtKind::kWith:
    case StmtKind::kSet:
      for (const ExprPtr& value : stmt.exprs) learn(scope, value.get());
      if (stmt.kind == StmtKind::kSet) learn_target(scope, *stmt.targets[0], false);
      break;
    case StmtKind::kBreak:
    case StmtKind::kContinue:
    case StmtKind::kGeneration:
      break;
  }
}

void Resolver::learn_function(Symbols& scope, const Stmt& stmt) {
  for (const std::string& name : stmt.function->parameters) scope.declare_parameter(name);
  for (const ExprPtr& value : stmt.function->defaults) learn(scope, value.get());
  learn(scope, stmt.body);
}

VariableRef Resolver::ref(std::string_view name, const Symbols& frame, uint32_t offset) const {
  const std::optional<Place> place = frame.find(name);
  if (!place) fail("template.unsupported", offset, "the variable in the filter of a block");
  return {frame.function()->depth - place->function->depth, place->slot};
}

void Resolver::resolve(Expr* expr, const Symbols& frame, bool soft) {
  if (expr == nullptr) return;
  if (expr->kind == ExprKind::kName || expr->kind == ExprKind::kNamespaceRef)
    expr->variable = ref(expr->text, frame, expr->offset);
  soft = soft || expr->kind == ExprKind::kConditional;
  if (expr->kind == ExprKind::kFilter || expr->kind == ExprKind::kTest) {
    const bool filter = expr->kind == ExprKind::kFilter;
    if (!soft && !(filter ? is_filter(expr->text) : is_test(expr->text)))
      fail("template.syntax", expr->offset,
           (filter ? "there is no filter '" : "there is no test '") + expr->text + "'");
  }
  for (const ExprPtr& child : expr->children) resolve(child.get(), frame, soft);
  if (!expr->arguments) return;
  for (const ExprPtr& value : expr->arguments->positional) resolve(value.get(), frame, soft);
  for (const auto& [name, value] : expr->arguments->named) resolve(value.get(), frame, soft);
  resolve(expr->arguments->star.get(), frame, soft);
  resolve(expr->arguments->star_star.get(), frame, soft);
}

void Resolver::resolve(Stmt& stmt, Symbols& frame, bool soft) {
  check_work(stmt.offset);
  switch (stmt.kind) {
    case StmtKind::kFor:
      resolve_for(stmt, frame, soft);
      return;
    case StmtKind::kMacro:
      resolve(stmt.targets[0].get(), frame, soft);
      resolve_function(stmt, frame);
      return;
    case StmtKind::kCallBlock:
      resolve(stmt.condition.get(), frame, soft);
      resolve_function(stmt, frame);
      return;
    case StmtKind::kGeneration:
      resolve_function(stmt, frame);
      return;
    case StmtKind::kSetBlock:
    case StmtKind::kFilterBlock:
    case StmtKind::kWith:
      resolve_nested(stmt, frame, soft);
      return;
    default:
      break;
  }
  const bool inside = soft || stmt.kind == StmtKind::kIf;
  resolve(stmt.condition.get(), frame, inside);
  for (const ExprPtr& value : stmt.exprs) resolve(value.get(), frame, inside);
  for (const ExprPtr& target : stmt.targets) resolve(target.get(), frame, inside);
  resolve(stmt.body, frame, inside);
  for (const StmtPtr& branch : stmt.elifs) resolve(*branch, frame, inside);
  resolve(stmt.otherwise, frame, inside);
}

// Statements whose body is a scope of the same function.
void Resolver::resolve_nested(Stmt& stmt, Symbols& frame, bool soft) {
  Symbols scope = inner(frame);
  const bool with = stmt.kind == StmtKind::kWith;
  for (const ExprPtr& target : stmt.targets)
    if (with) learn_target(scope, *target, true);
  learn(scope, stmt.body);
  for (const ExprPtr& value : stmt.exprs) resolve(value.get(), frame, soft);
  for (const ExprPtr& target : stmt.targets) resolve(target.get(), with ? scope : frame, soft);
  resolve(stmt.condition.get(), scope, false);
  resolve(stmt.body, scope, false);
  stmt.loads = scope.loads();
}

bool reads(const Expr* expr, std::string_view name);

bool any_reads(const std::vector<ExprPtr>& exprs, std::string_view name) {
  return std::any_of(exprs.begin(), exprs.end(),
                     [&](const ExprPtr& expr) { return reads(expr.get(), name); });
}

bool reads(const Expr* expr, std::string_view name) {
  if (expr == nullptr) return false;
  if (expr->kind == ExprKind::kName && expr->text == name) return true;
  if (any_reads(expr->children, name)) return true;
  if (!expr->arguments) return false;
  if (any_reads(expr->arguments->positional, name)) return true;
  for (const auto& [key, value] : expr->arguments->named)
    if (reads(value.get(), name)) return true;
  return reads(expr->arguments->star.get(), name) || reads(expr->arguments->star_star.get(), name);
}

bool sets(const Expr& target, std::string_view name) {
  if (target.kind == ExprKind::kName) return target.text == name;
  return std::any_of(target.children.begin(), target.children.end(),
                     [&](const ExprPtr& child) { return sets(*child, name); });
}

enum class Found : uint8_t { kNothing, kRead, kSet };

Found find_in(const Body& body, std::string_view name);

bool sets_any(const std::vector<ExprPtr>& targets, std::string_view name) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const ExprPtr& target) { return sets(*target, name); });
}

// How a name is first used in a statement: read before it is set, or the other way round.
Found find_in(const Stmt& stmt, std::string_view name) {
  const bool target_first = stmt.kind == StmtKind::kFor || stmt.kind == StmtKind::kSet ||
                            stmt.kind == StmtKind::kSetBlock || stmt.kind == StmtKind::kWith;
  if (target_first && sets_any(stmt.targets, name)) return Found::kSet;
  if (any_reads(stmt.exprs, name)) return Found::kRead;
  if (stmt.kind != StmtKind::kFor && reads(stmt.condition.get(), name)) return Found::kRead;
  if (stmt.function) {
    for (const std::string& parameter : stmt.function->parameters)
      if (parameter == name) return Found::kSet;
    if (any_reads(stmt.function->defaults, name)) return Found::kRead;
  }
  if (const Found found = find_in(stmt.body, name); found != Found::kNothing) return found;
  for (const StmtPtr& branch : stmt.elifs)
    if (const Found found = find_in(*branch, name); found != Found::kNothing) return found;
  if (const Found found = find_in(stmt.otherwise, name); found != Found::kNothing) return found;
  return stmt.kind == StmtKind::kFor && reads(stmt.condition.get(), name) ? Found::kRead
                                                                          : Found::kNothing;
}

Found find_in(const Body& body, std::string_view name) {
  for (const StmtPtr& stmt : body)
    if (const Found found = find_in(*stmt, name); found != Found::kNothing) return found;
  return Found::kNothing;
}

ExprPtr clone_target(const Expr& target) {
  auto copy = std::make_unique<Expr>();
  copy->kind = target.kind;
  copy->offset = target.offset;
  copy->text = target.text;
  for (const ExprPtr& child : target.children) copy->children.push_back(clone_target(*child));
  return copy;
}

void Resolver::resolve_for(Stmt& stmt, Symbols& frame, bool soft) {
  Symbols loop = inner(frame), test = inner(frame), otherwise = inner(frame);
  if (sets(*stmt.targets[0], "loop"))
    fail("template.syntax", stmt.offset, "the special variable 'loop' cannot be a loop's target");
  stmt.has_loop_slot = find_in(stmt.body, "loop") == Found::kRead;
  if (stmt.has_loop_slot) stmt.loop_slot = loop.declare_parameter("loop").slot;
  learn_target(loop, *stmt.targets[0], true);
  learn(loop, stmt.body);
  learn(otherwise, stmt.otherwise);
  resolve(stmt.exprs[0].get(), frame, soft);
  if (stmt.condition) {
    stmt.test_targets.push_back(clone_target(*stmt.targets[0]));
    learn_target(test, *stmt.test_targets[0], true);
    learn(test, stmt.condition.get());
    resolve(stmt.test_targets[0].get(), test, false);
    resolve(stmt.condition.get(), test, false);
    stmt.test_loads = test.loads();
  }
  resolve(stmt.targets[0].get(), loop, false);
  resolve(stmt.body, loop, false);
  resolve(stmt.otherwise, otherwise, false);
  stmt.loads = loop.loads();
  stmt.else_loads = otherwise.loads();
}

void Resolver::resolve_function(Stmt& stmt, Symbols& frame) {
  FunctionScope& function = functions_.emplace_back();
  function.depth = frame.function()->depth + 1;
  Symbols scope(&frame, &function, &work_);
  learn_function(scope, stmt);
  Function& out = *stmt.function;
  const auto has_parameter = [&](std::string_view name) {
    return std::find(out.parameters.begin(), out.parameters.end(), name) != out.parameters.end();
  };
  out.explicit_caller = has_parameter("caller");
  if (find_in(stmt.body, "caller") == Found::kRead) {
    out.uses_caller = true;
    const auto at = std::find(out.parameters.begin(), out.parameters.end(), "caller");
    if (out.explicit_caller && static_cast<size_t>(out.parameters.end() - at) > out.defaults.size())
      fail("template.syntax", stmt.offset, "the parameter 'caller' needs a default");
    if (!out.explicit_caller) out.caller_slot = scope.declare_parameter("caller").slot;
  }
  if (!has_parameter("kwargs") && find_in(stmt.body, "kwargs") == Found::kRead) {
    out.uses_kwargs = true;
    out.kwargs_slot = scope.declare_parameter("kwargs").slot;
  }
  if (!has_parameter("varargs") && find_in(stmt.body, "varargs") == Found::kRead) {
    out.uses_varargs = true;
    out.varargs_slot = scope.declare_parameter("varargs").slot;
  }
  learn_function(scope, stmt);
  // Reading a special name must not look like a variable of the template after this.
  if (out.uses_caller && !out.explicit_caller) scope.declare_parameter("caller");
  if (out.uses_kwargs) scope.declare_parameter("kwargs");
  if (out.uses_varargs) scope.declare_parameter("varargs");
  for (const std::string& name : out.parameters)
    out.parameter_slots.push_back(scope.declare_parameter(name).slot);
  for (const ExprPtr& value : out.defaults) resolve(value.get(), scope, false);
  resolve(stmt.body, scope, false);
  stmt.loads = scope.loads();
  out.num_slots = function.num_slots;
}

}  // namespace

void resolve_variables(Template& result) { Resolver(result).run(); }

}  // namespace tulou::text::jinja
