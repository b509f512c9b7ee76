// Chat templates from the outside: parse, render, prepare messages.
#include "text/template.h"

#include "base/error.h"
#include "base/json_value.h"
#include "text/template_evaluator.h"
#include "text/template_lexer.h"
#include "text/template_machine.h"
#include "text/template_parser.h"
#include "text/template_scope.h"

namespace tulou::text {

ChatTemplate::ChatTemplate(std::shared_ptr<const jinja::Template> parsed)
    : parsed_(std::move(parsed)) {}

ChatTemplate ChatTemplate::parse(const std::string& source, std::string name) {
  auto result = std::make_shared<jinja::Template>();
  result->name = std::move(name);
  if (source.size() > jinja::kMaxTemplateBytes)
    throw base::Error("template.too_large", result->name, 1, 1, "size in bytes",
                      jinja::kMaxTemplateBytes);
  result->source = jinja::normalize_source(source);
  jinja::Parser::parse(*result);
  jinja::resolve_variables(*result);
  return ChatTemplate(std::move(result));
}

const std::string& ChatTemplate::source() const { return parsed_->source; }

std::vector<Segment> ChatTemplate::render(const base::Json& context,
                                          const RenderOptions& options) const {
  jinja::Output output(options.budget.max_output_bytes);
  {
    jinja::Machine machine(*parsed_, options);
    machine.set_context(context);
    jinja::Evaluator(machine, *parsed_, output).run();
  }
  return output.take();
}

std::string ChatTemplate::render_text(const base::Json& context,
                                      const RenderOptions& options) const {
  std::string out;
  for (const Segment& segment : render(context, options)) out += segment.text;
  return out;
}

namespace {

void parse_arguments(base::Json& call) {
  if (!call.is_object()) return;
  base::Json& function = call.contains("function") ? call["function"] : call;
  if (!function.is_object() || !function.contains("arguments")) return;
  base::Json& arguments = function["arguments"];
  if (!arguments.is_string()) return;
  try {
    base::Json parsed = base::parse_json(arguments.get<std::string>(), "tool call arguments");
    if (parsed.is_object()) arguments = std::move(parsed);
  } catch (const base::Error&) {
    // Text that is not JSON stays text.
  }
}

}  // namespace

void normalize_messages(base::Json& messages) {
  if (!messages.is_array()) return;
  for (base::Json& message : messages) {
    if (!message.is_object() || !message.contains("tool_calls")) continue;
    base::Json& calls = message["tool_calls"];
    if (!calls.is_array()) continue;
    for (base::Json& call : calls) parse_arguments(call);
  }
}

}  // namespace tulou::text
