// Walks the tree of a template: evaluates expressions, runs statements, collects output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/segment.h"
#include "text/template_ast.h"
#include "text/template_machine.h"

namespace tulou::text::jinja {

// The rendered text, in pieces of bounded size so that it need not move while it grows.
class Output {
 public:
  explicit Output(size_t limit) : limit_(limit) {}
  void append(Machine& m, std::string_view text, bool from_data);
  // Neighbours of one provenance joined.
  std::vector<Segment> take();

 private:
  size_t limit_;
  size_t size_ = 0;
  std::vector<Segment> pieces_;
};

class Evaluator {
 public:
  Evaluator(Machine& m, const Template& source, Output& output);
  void run();

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };
  struct ItemSource;

  // Statements.
  Flow run(const Body& body);
  Flow run(const Stmt& stmt);
  Flow run_if(const Stmt& stmt);
  Flow run_for(const Stmt& stmt);
  Flow run_set_block(const Stmt& stmt);
  Flow run_filter_block(const Stmt& stmt);
  Flow run_with(const Stmt& stmt);
  void run_call_block(const Stmt& stmt);
  void run_output(const Stmt& stmt);
  void emit(const Value& value);
  void assign(const Expr& target, Value value);
  void enter(const std::vector<Load>& loads);
  void leave(const std::vector<Load>& loads);

  // Macros.
  Value make_macro(const Stmt& stmt);
  Value call_macro(const MacroNode& macro, CallArgs args);
  void bind_macro(const Function& function, CallArgs& args);
  Value take_named(CallArgs& args, std::string_view name);

  // Expressions.
  Value eval(const Expr& expr);
  Value eval_composed(const Expr& expr);
  Value eval_name(const Expr& expr);
  Value eval_sequence(const Expr& expr);
  Value eval_dict(const Expr& expr);
  Value eval_call(const Expr& expr, const Value* caller);
  Value eval_filter(const Expr& expr, const Value* input);
  Value eval_concat(const Expr& expr);
  Value eval_compare(const Expr& expr);
  CallArgs eval_arguments(const Arguments* arguments, const Value* caller);
  Value call(const Value& callee, CallArgs args);
  Value call_joiner(const Value& joiner, const CallArgs& args);
  Value& slot(VariableRef ref);

  Machine& m_;
  const Template& template_;
  Output& output_;
  TextBuilder* capture_ = nullptr;  // where output goes if not to output_
  Ref<ActivationNode> frame_;
};

}  // namespace tulou::text::jinja
