// The syntax tree of a chat template, with every variable resolved to a slot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tulou::text::jinja {

enum class ExprKind : uint8_t {
  kText,  // template text in an output statement
  kString,
  kInteger,
  kFloat,
  kBoolean,
  kNone,
  kName,
  kNamespaceRef,  // target of an assignment: text = name, text2 = attribute
  kTuple,
  kList,
  kDict,         // children: key, value, key, value, ...
  kAttribute,    // children[0].text
  kItem,         // children[0][children[1]]
  kSlice,        // children[0][children[1]:children[2]:children[3]], absent ones null
  kCall,         // children[0](arguments)
  kFilter,       // children[0] | text(arguments); children[0] null in a filter block
  kTest,         // children[0] is text(arguments)
  kConditional,  // children[0] if children[1] else children[2] (may be null)
  kOr,
  kAnd,
  kNot,
  kNegative,
  kPositive,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kConcat,   // all children
  kCompare,  // children[0] operators[0] children[1] operators[1] ...
};

enum class CompareOp : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};

// A variable: `hops` functions (macros) outwards from the one that names it, then a slot.
struct VariableRef {
  uint32_t hops = 0;
  uint32_t slot = 0;
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star;       // *expression
  ExprPtr star_star;  // **expression
};

struct Expr {
  ExprKind kind = ExprKind::kNone;
  bool ascii = true;     // of text
  bool lenient = false;  // an unknown filter or test fails only when it is reached
  uint16_t height = 1;   // of the tree below
  uint32_t offset = 0;   // in the source, for errors
  VariableRef variable;
  int64_t integer = 0;  // also the value of kBoolean
  double number = 0;
  std::string text;
  std::string text2;
  std::vector<CompareOp> operators;
  std::vector<ExprPtr> children;
  std::unique_ptr<Arguments> arguments;
};

// How a variable of a scope gets its value when the scope is entered.
enum class LoadKind : uint8_t { kParameter, kUndefined, kResolve, kAlias };

struct Load {
  LoadKind kind = LoadKind::kUndefined;
  uint32_t slot = 0;
  VariableRef alias;      // of kAlias
  std::string_view name;  // of kResolve; owned by the template
};

struct Stmt;
using StmtPtr = std::unique_ptr<Stmt>;
using Body = std::vector<StmtPtr>;

// A macro or the body of a call block.
struct Function {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<uint32_t> parameter_slots;
  std::vector<ExprPtr> defaults;  // of the last parameters
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
  bool explicit_caller = false;
  uint32_t caller_slot = 0, kwargs_slot = 0, varargs_slot = 0;
  uint32_t num_slots = 0;
};

enum class StmtKind : uint8_t {
  kOutput,
  kSet,
  kSetBlock,
  kIf,
  kFor,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kBreak,
  kContinue,
  kGeneration
};

struct Stmt {
  StmtKind kind = StmtKind::kOutput;
  uint32_t offset = 0;
  std::vector<ExprPtr> exprs;    // outputs; value of set; values of with
  std::vector<ExprPtr> targets;  // of set, with, for, and of a macro its name
  ExprPtr condition;             // of if, of for (its filter); the call of a call block
  Body body;
  Body otherwise;                     // else
  std::vector<StmtPtr> elifs;         // kIf without their own otherwise
  std::vector<Load> loads;            // when the scope of `body` is entered
  std::vector<Load> else_loads;       // of a for loop's else
  std::vector<Load> test_loads;       // of a for loop's filter
  std::vector<ExprPtr> test_targets;  // the loop targets as the filter sees them
  uint32_t loop_slot = 0;
  bool has_loop_slot = false;
  std::unique_ptr<Function> function;
};

struct Template {
  std::string name;
  std::string source;  // with \n line ends and no final one
  Body body;
  std::vector<Load> loads;
  uint32_t num_slots = 0;
};

// The line and column (in code points), from 1, of an offset in the source.
std::pair<int, int> position_of(std::string_view source, uint32_t offset);

}  // namespace tulou::text::jinja
