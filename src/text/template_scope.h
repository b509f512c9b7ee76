// Resolves the variables of a parsed template to slots, once, so that rendering looks nothing up by
// name. The rules are Jinja's: which scope a name belongs to depends on where it is read and set in
// the text, and a scope's variables start from what the loads of that scope say.
#pragma once

#include <string_view>

#include "text/template_ast.h"

namespace tulou::text::jinja {

// Fills the slots, loads and functions of the tree. Errors: template.syntax (unknown filters and
// tests, assignment to `loop`), template.unsupported, template.too_large.
void resolve_variables(Template& result);

}  // namespace tulou::text::jinja
