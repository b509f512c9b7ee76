#!/usr/bin/env python3
"""Writes the seeds of grammar.

usage: make_grammar_seeds.py [CORPUS]      needs only Python

Each is a byte that chooses the kind (0 schema, 1 regular expression, 2 choice, 3 EBNF) and a text.
"""

import json
import pathlib
import sys

SCHEMAS = {
    "object": {"type": "object", "properties": {"a": {"type": "string"}, "ab": {"type": "null"}},
               "required": ["a"], "additionalProperties": False},
    "open": {"properties": {"a": {}}, "additionalProperties": {"type": "boolean"},
             "required": ["z"], "minProperties": 1, "maxProperties": 3},
    "list": {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"enum": ["x", 1]},
             "minItems": 1, "maxItems": 5},
    "integer": {"type": "integer", "minimum": -17, "exclusiveMaximum": 2345, "multipleOf": 5},
    "number": {"type": "number", "exclusiveMinimum": -1.25, "maximum": 0.125},
    "string": {"type": "string", "minLength": 2, "maxLength": 40},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-\\d+(\u00e9|[^a-z])*$"},
    "format": {"type": "string", "format": "date-time"},
    "recursive": {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [
        {"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/n"}}]}}},
    "keys": {"type": "object", "patternProperties": {"^[a-z]{2}$": {"const": 1.5}}},
    "one_of": {"oneOf": [{"type": "string"}, {"type": "number"}], "title": "t"},
    "names": {"type": "object", "propertyNames": {"maxLength": 3}, "minProperties": 1},
    "refused": {"not": {}, "uniqueItems": True, "$anchor": "a"},
}
REGEXES = ["[a-z]+", "\\d{4}-\\d{2}", "(yes|no)?", "(a|b(c|d)*)+e", "[^\\n]{1,50}", "(.*x){2}",
           "^\\u0041\\x42$", "(?P<y>\\w{3,9})", "((a+)+)+c", "(?=a)b", "a{3,2}", "[\\]\\-]{0,9}"]
EBNF = ['root ::= (item ",")* item # list\nitem ::= [a-c]{2,3} | "x\\n"',
        'root ::= root "+" term | term\nterm ::= [0-9]+ | "(" root ")"',
        'root ::= "\\u00e9" | [^\\x00-\\x7f] other?\nother ::= root{2,} ""']


def seeds():
    for name, schema in SCHEMAS.items():
        yield "schema_" + name, "\0" + json.dumps(schema, ensure_ascii=False)
    for i, text in enumerate(REGEXES):
        yield f"regex_{i}", "\1" + text
    yield "choice", "\2" + json.dumps(["yes", 'm"\n', "\u00e9"])
    for i, text in enumerate(EBNF):
        yield f"ebnf_{i}", "\3" + text


def main():
    default = pathlib.Path(__file__).parent / "corpus" / "grammar"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in seeds():
        (folder / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
