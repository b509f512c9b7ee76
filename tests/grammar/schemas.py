"""JSON Schemas for compare.py: hand-written ones with what becomes of them, and random ones."""

import json
import random

# (schema, None if it is taken, else the id of the error)
TABLE = [
    ({}, None),
    (True, None),
    (False, "grammar.unsatisfiable"),
    ({"type": "object"}, None),
    ({"type": "array"}, None),
    ({"type": "string"}, None),
    ({"type": ["string", "null"]}, None),
    ({"type": "integer", "minimum": -17, "maximum": 2345}, None),
    ({"type": "integer", "minimum": 1}, None),
    ({"type": "integer", "exclusiveMaximum": -3}, None),
    ({"type": "integer", "minimum": 0.5, "exclusiveMaximum": 99.5}, None),
    ({"type": "integer", "multipleOf": 7}, None),
    ({"type": "integer", "multipleOf": 5, "minimum": -12, "maximum": 33}, None),
    ({"type": "integer", "multipleOf": 5, "minimum": 3}, "grammar.unsupported_keyword"),
    ({"type": "integer", "minimum": 3, "maximum": 2}, "grammar.unsatisfiable"),
    ({"type": "number", "minimum": 0, "maximum": 1}, None),
    ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, None),
    ({"type": "number", "minimum": -1.25, "exclusiveMaximum": 0.125}, None),
    ({"type": "number", "minimum": 0.5, "maximum": 0.625}, None),
    ({"type": "number", "exclusiveMinimum": -2.5}, None),
    ({"type": "number", "maximum": -0.001}, None),
    ({"type": "number", "minimum": 1e12}, "grammar.unsupported_keyword"),
    ({"type": "number", "multipleOf": 0.1}, "grammar.unsupported_keyword"),
    ({"type": "number", "multipleOf": 4}, None),
    ({"type": "string", "minLength": 2, "maxLength": 5}, None),
    ({"type": "string", "maxLength": 0}, None),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "grammar.unsatisfiable"),
    ({"type": "string", "maxLength": 2147483647}, None),
    ({"type": "string", "minLength": -1}, "grammar.invalid_schema"),
    ({"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}, None),
    ({"type": "string", "pattern": "[a-f]|^x"}, None),
    ({"type": "string", "pattern": "^\\S+@\\S+$"}, None),
    ({"type": "string", "pattern": "^[\"\\\\\\n]+$"}, None),
    ({"type": "string", "pattern": "^(é|中)*$"}, None),
    ({"type": "string", "pattern": "^?[0-9]$"}, "grammar.invalid_regex"),
    ({"type": "string", "pattern": "(?=a)b"}, "grammar.unsupported_regex"),
    ({"type": "string", "pattern": "(a)\\1"}, "grammar.unsupported_regex"),
    ({"type": "string", "pattern": "\\bword\\b"}, "grammar.unsupported_regex"),
    ({"type": "string", "pattern": "a", "maxLength": 3}, "grammar.unsupported_keyword"),
    ({"type": "string", "format": "date"}, None),
    ({"type": "string", "format": "time"}, None),
    ({"type": "string", "format": "date-time"}, None),
    ({"type": "string", "format": "uuid"}, None),
    ({"type": "string", "format": "email"}, None),
    ({"type": "string", "format": "ipv4"}, None),
    ({"type": "string", "format": "ipv6"}, None),
    ({"type": "string", "format": "hostname"}, None),
    ({"type": "string", "format": "uri"}, None),
    ({"type": "string", "format": "binary"}, "grammar.unsupported_keyword"),
    ({"const": {"a": [1, 2.5, None, "x\n\"y\\"]}}, None),
    ({"enum": ["a", 1, 1.5, None, True, [], {}]}, None),
    ({"type": "string", "enum": ["a", 1, "é"]}, None),
    ({"enum": []}, "grammar.unsatisfiable"),
    ({"enum": ["a"], "minLength": 2}, "grammar.unsupported_keyword"),
    ({"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["b"]}, None),
    ({"type": "object", "properties": {"a": {"type": "integer"}},
      "additionalProperties": False}, None),
    ({"type": "object", "properties": {"a": {"type": "integer"}, "ab": {"type": "null"}},
      "additionalProperties": {"type": "boolean"}}, None),
    ({"type": "object", "properties": {"a": {"type": "integer"}},
      "additionalProperties": True, "required": ["a", "z"]}, None),
    ({"type": "object", "required": ["x", "y"]}, None),
    ({"type": "object", "required": ["x"], "additionalProperties": False},
     "grammar.unsatisfiable"),
    ({"type": "object", "properties": {"a": False}}, None),
    ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "grammar.unsatisfiable"),
    ({"type": "object", "properties": {"a": {}, "b": {}, "c": {}, "d": {}}, "minProperties": 2,
      "maxProperties": 3, "required": ["c"], "additionalProperties": False}, None),
    ({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1,
      "maxProperties": 3}, None),
    ({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
     "grammar.unsupported_keyword"),
    ({"type": "object", "patternProperties": {"^[a-z]{2}$": {"type": "integer"}},
      "additionalProperties": False}, None),
    ({"type": "object", "patternProperties": {"^a": {}, "b$": {}}},
     "grammar.unsupported_keyword"),
    ({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"},
      "additionalProperties": {"type": "integer"}}, None),
    ({"type": "object", "propertyNames": {"maxLength": 3}}, None),
    ({"type": "object", "propertyNames": {"enum": ["red", "green"]},
      "additionalProperties": {"type": "number"}}, None),
    ({"type": "object", "unevaluatedProperties": False, "properties": {"a": {}}}, None),
    ({"type": "object", "dependentRequired": {"a": ["b"]}}, "grammar.unsupported_keyword"),
    ({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4}, None),
    ({"type": "array", "items": {"type": "null"}, "maxItems": 0}, None),
    ({"type": "array", "items": False}, None),
    ({"type": "array", "items": False, "minItems": 1}, "grammar.unsatisfiable"),
    ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, None),
    ({"type": "array", "prefixItems": [True, {"const": 1}], "items": {"type": "null"},
      "minItems": 1, "maxItems": 5}, None),
    ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}, {"const": 3}], "minItems": 2,
      "maxItems": 2}, None),
    ({"type": "array", "prefixItems": [{"const": 1}], "minItems": 3}, None),
    ({"type": "array", "uniqueItems": True}, "grammar.unsupported_keyword"),
    ({"type": "array", "contains": {}}, "grammar.unsupported_keyword"),
    ({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 2}]}, None),
    ({"anyOf": [False, {"const": 1}]}, None),
    ({"anyOf": [{"type": "integer"}], "type": "integer"}, "grammar.unsupported_keyword"),
    ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, None),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "grammar.unsupported_keyword"),
    ({"oneOf": [{"properties": {"a": {}}}, {"type": "string"}]}, "grammar.unsupported_keyword"),
    ({"oneOf": [{"const": 1}, {"const": 2}, {"enum": ["a", "b"]}]}, None),
    ({"oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}],
      "discriminator": {"propertyName": "kind"},
      "$defs": {"cat": {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {
          "type": "integer"}}, "required": ["kind"], "additionalProperties": False},
                "dog": {"type": "object", "properties": {"kind": {"const": "dog"}, "tricks": {
                    "type": "array", "items": {"type": "string"}}}, "required": ["kind"]}}}, None),
    ({"allOf": [{"$ref": "#/$defs/a"}], "default": 1, "$defs": {"a": {"type": "integer"}}}, None),
    ({"allOf": [{"type": "integer"}, {"minimum": 1}]}, "grammar.unsupported_keyword"),
    ({"not": {"type": "integer"}}, "grammar.unsupported_keyword"),
    ({"if": {}, "then": {}}, "grammar.unsupported_keyword"),
    ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "integer"}}}, None),
    ({"$ref": "#/$defs/x", "type": "object", "$defs": {"x": {}}}, "grammar.unsupported_keyword"),
    ({"$ref": "#/$defs/missing"}, "grammar.invalid_schema"),
    ({"$ref": "http://example.com/schema"}, "grammar.unsupported_keyword"),
    ({"$ref": "#"}, "grammar.invalid_schema"),
    ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "grammar.invalid_schema"),
    ({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
     "grammar.unsatisfiable"),
    ({"type": "object", "properties": {"value": {"type": "integer"}, "next": {"$ref": "#"}},
      "required": ["value"], "additionalProperties": False}, None),
    ({"type": "object", "properties": {"left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
                                       "right": {"$ref": "#/properties/left"}},
      "required": ["left"]}, None),
    ({"type": "array", "items": {"$ref": "#"}}, None),
    ({"title": "T", "description": "D", "examples": [1], "x-order": 3, "type": "null"}, None),
    ({"type": "nothing"}, "grammar.invalid_schema"),
    ({"minLength": 1, "minimum": 3}, None),
    ({"surprise": 1}, "grammar.unsupported_keyword"),
    ("a string", "grammar.invalid_schema"),
]

PATTERNS = [
    "^[a-z]+$", "^\\d{3}-\\d{4}$", "^(yes|no|maybe)$", "[aeiou]", "^#[0-9a-fA-F]{6}$", "^.{2,6}$",
    "^\\w+\\s\\w+$", "^[^,;\"]*$", "x?y*z+", "^(ab|cd)+$", "^v\\d+\\.\\d+$", "^\\/[\\w\\/-]*$",
    "^[\\u0041-\\u005a\\u00e9]+$", "^(?:[A-Z][a-z]*)( [A-Z][a-z]*){0,2}$", "^\\D$", "^\\W{2}$",
    "^[\\s\\S]$", "a.c", "^$",
]
WORDS = ["id", "name", "größe", "a\"b", "x y", "items", "kind", "a/b", "~t", "价格", "n", "na", "nam"]


class Generator:
    """Schemas at random; most are taken, some must be refused."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.definitions = []

    def schema(self):
        self.definitions = ["d0", "d1"][: self.rng.choice([0, 0, 1, 2])]
        result = self.node(3)
        if self.definitions and isinstance(result, dict):
            result["$defs"] = {name: self.node(2) for name in self.definitions}
        return result

    def node(self, depth):
        rng = self.rng
        kinds = ["string", "number", "integer", "boolean", "null", "enum", "const"]
        if depth > 0:
            kinds += ["object"] * 5 + ["array"] * 3 + ["anyOf", "oneOf", "types", "any"]
        if self.definitions:
            kinds += ["$ref"] * 2
        kind = rng.choice(kinds)
        result = getattr(self, "make_" + kind.strip("$"))(depth)
        if isinstance(result, dict) and rng.random() < 0.2:
            result[rng.choice(["title", "description", "$comment"])] = "text"
        return result

    def maybe(self, result, key, value, chance=0.4):
        if self.rng.random() < chance:
            result[key] = value

    def scalar(self):
        rng = self.rng
        return rng.choice([None, True, False, 0, -3, 12.5, 1e20, "", "é", "a\"\\\n", "long text",
                           rng.randrange(10**6)])

    def make_any(self, _):
        return self.rng.choice([{}, True])

    def make_null(self, _):
        return {"type": "null"}

    def make_boolean(self, _):
        return {"type": "boolean"}

    def make_ref(self, _):
        return {"$ref": "#/$defs/" + self.rng.choice(self.definitions)}

    def make_enum(self, _):
        values = []
        for _ in range(self.rng.randrange(1, 5)):
            value = self.scalar()
            if value not in values:
                values.append(value)
        return {"enum": values}

    def make_const(self, _):
        return {"const": self.rng.choice([self.scalar(), [self.scalar()], {"k": self.scalar()}])}

    def make_types(self, _):
        types = ["string", "integer", "null", "boolean", "number", "array", "object"]
        result = {"type": self.rng.sample(types, self.rng.randrange(1, 4))}
        self.maybe(result, "maxLength", 3)
        self.maybe(result, "minimum", self.rng.randrange(-5, 5))
        return result

    def make_string(self, _):
        rng = self.rng
        result = {"type": "string"}
        case = rng.randrange(5)
        if case == 0:
            result["pattern"] = rng.choice(PATTERNS)
        elif case == 1:
            result["format"] = rng.choice(["date", "time", "date-time", "uuid", "email", "ipv4",
                                           "ipv6", "hostname", "uri"])
        elif case == 2:
            low = rng.randrange(4)
            self.maybe(result, "minLength", low)
            self.maybe(result, "maxLength", low + rng.randrange(4))
        return result

    def bounds(self, result, values):
        low, high = sorted(values)
        self.maybe(result, self.rng.choice(["minimum", "exclusiveMinimum"]), low, 0.6)
        self.maybe(result, self.rng.choice(["maximum", "exclusiveMaximum"]), high, 0.6)

    def make_integer(self, _):
        rng = self.rng
        result = {"type": "integer"}
        size = rng.choice([3, 50, 10**4, 10**12])
        self.bounds(result, [rng.randrange(-size, size + 1), rng.randrange(-size, size + 1)])
        self.maybe(result, "multipleOf", rng.choice([1, 2, 3, 10, 17]), 0.15)
        return result

    def make_number(self, _):
        rng = self.rng
        result = {"type": "number"}
        digits = rng.choice([0, 1, 3, 6])
        size = rng.choice([1, 10, 1000])
        self.bounds(result, [round(rng.uniform(-size, size), digits) for _ in range(2)])
        return result

    def make_array(self, depth):
        rng = self.rng
        result = {"type": "array"}
        self.maybe(result, "items", self.node(depth - 1), 0.7)
        if rng.random() < 0.3:
            result["prefixItems"] = [self.node(depth - 1) for _ in range(rng.randrange(1, 3))]
        low = rng.randrange(3)
        self.maybe(result, "minItems", low, 0.3)
        self.maybe(result, "maxItems", low + rng.randrange(3), 0.3)
        self.maybe(result, "uniqueItems", True, 0.03)
        return result

    def make_object(self, depth):
        rng = self.rng
        result = {"type": "object"}
        names = rng.sample(WORDS, rng.randrange(0, 6))
        if names:
            result["properties"] = {name: self.node(depth - 1) for name in names}
            required = rng.sample(names, rng.randrange(0, len(names) + 1))
            if rng.random() < 0.1:
                required.append("other")
            self.maybe(result, "required", required, 0.7)
        if rng.random() < 0.6:
            result["additionalProperties"] = rng.choice([False, False, True, self.node(0)])
        if not names and rng.random() < 0.3:
            result["patternProperties"] = {rng.choice(PATTERNS): self.node(depth - 1)}
            result.pop("additionalProperties", None)
        elif not names and rng.random() < 0.3:
            result["propertyNames"] = rng.choice([{"pattern": rng.choice(PATTERNS)},
                                                  {"maxLength": 4}, {"enum": ["a", "b", "c"]}])
        self.maybe(result, "minProperties", rng.randrange(3), 0.1)
        self.maybe(result, "maxProperties", rng.randrange(1, 4), 0.1)
        return result

    def make_anyOf(self, depth):
        return {"anyOf": [self.node(depth - 1) for _ in range(self.rng.randrange(1, 4))]}

    def make_oneOf(self, depth):
        rng = self.rng
        if rng.random() < 0.5:
            return {"oneOf": [{"type": "object", "properties": {
                "kind": {"const": kind}, "value": self.node(depth - 1)}, "required": ["kind"]}
                for kind in ["one", "two", "three"][: rng.randrange(1, 4)]]}
        kinds = rng.sample(["string", "integer", "boolean", "array", "object"], 2)
        return {"oneOf": [getattr(self, "make_" + kind)(depth - 1) for kind in kinds]}


def random_schemas(count, seed):
    seen = set()
    generator = Generator(seed)
    while len(seen) < count:
        text = json.dumps(generator.schema(), ensure_ascii=False)
        if text not in seen:
            seen.add(text)
            yield text
