// Descriptions of texts as trees of JSON objects: how other folders compose literals, schemas and
// free text without knowing how grammars are written.
#pragma once

#include <string_view>

#include "grammar/json_text.h"
#include "grammar/rules.h"

namespace tulou::grammar {

// A node is an object with one of these keys:
//   "text": this text             "schema": JSON text of a value that this JSON Schema allows
//   "without": any text, also none, in which none of these strings occurs
//   "sequence": these, one after the other          "choice": one of these
//   "repeat": this, "min" to "max" times ("max" absent: any number of times)
// The rule of the texts that are described. Errors: grammar.invalid_description (the key), those of
// add_schema and of Rules.
Rules::Rule add_description(Rules& rules, JsonText& json, std::string_view description);

}  // namespace tulou::grammar
