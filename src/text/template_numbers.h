// Filters that make numbers.
#pragma once

#include "text/template_filters.h"

namespace tulou::text::jinja {

Value int_filter(Machine& m, const Value& self, const Bound& args);
Value float_filter(Machine& m, const Value& self, const Bound& args);
Value abs_filter(Machine& m, const Value& self, const Bound& args);
Value round_filter(Machine& m, const Value& self, const Bound& args);

}  // namespace tulou::text::jinja
