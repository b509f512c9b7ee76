"""Schemas as applications send them, with an answer to each; prints them for mask_bench."""

import json

STRING, INTEGER, NUMBER, BOOLEAN = ({"type": name} for name in
                                    ("string", "integer", "number", "boolean"))


def record(properties, **more):
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False, **more}


def listed(items, **more):
    return {"type": "array", "items": items, **more}


def nullable(schema):
    return {"anyOf": [schema, {"type": "null"}]}


LOREM = ("The first quarter went better than expected: revenue grew by 12 %, most of it from "
         "new customers in Asia. Costs stayed flat. A \"soft\" second quarter is likely.")

# name, schema, answer
SCHEMAS = [
    ("city scores", record({"name": {"enum": ["Paris", "London", "Berlin"]}, "capital": BOOLEAN,
                            "scores": listed(INTEGER, maxItems=3)}),
     {"name": "Paris", "capital": True, "scores": [1, 22, 333]}),
    ("calendar event", record({"name": STRING, "date": STRING, "participants": listed(STRING)}),
     {"name": "Science fair", "date": "Friday", "participants": ["Alice", "Bob"]}),
    ("math steps", record({"steps": listed(record({"explanation": STRING, "output": STRING})),
                           "final_answer": STRING}),
     {"steps": [{"explanation": "Subtract 7 from both sides.", "output": "8x = -30"},
                {"explanation": "Divide by 8.", "output": "x = -30 / 8"}],
      "final_answer": "x = -15/4"}),
    ("research paper", record({"title": STRING, "authors": listed(STRING), "abstract": STRING,
                               "keywords": listed(STRING)}),
     {"title": "Attention", "authors": ["A. Vaswani"], "abstract": LOREM, "keywords": ["nlp"]}),
    ("user interface", {"$ref": "#/$defs/node", "$defs": {"node": record({
        "type": {"enum": ["div", "button", "header", "section", "field", "form"]},
        "label": STRING, "children": listed({"$ref": "#/$defs/node"}),
        "attributes": listed(record({"name": STRING, "value": STRING}))})}},
     {"type": "form", "label": "User", "children": [
         {"type": "field", "label": "Name", "children": [],
          "attributes": [{"name": "required", "value": "true"}]}], "attributes": []}),
    ("moderation", record({"is_violating": BOOLEAN, "category": nullable(
        {"enum": ["violence", "sexual", "self_harm"]}), "explanation": nullable(STRING)}),
     {"is_violating": False, "category": None, "explanation": "It is a recipe."}),
    ("weather", record({"location": {**STRING, "description": "City"},
                        "unit": {"type": ["string", "null"], "enum": ["C", "F", None]},
                        "temperature": NUMBER, "days": {**INTEGER, "minimum": 1, "maximum": 14}}),
     {"location": "Bogota, Colombia", "unit": "C", "temperature": 18.5, "days": 7}),
    ("linked list", record({"head": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": record(
        {"value": NUMBER, "next": nullable({"$ref": "#/$defs/node"})})}}),
     {"head": {"value": 1.5, "next": {"value": -2, "next": None}}}),
    ("invoice", record({
        "invoice_number": {**STRING, "pattern": "^INV-[0-9]{6}$"},
        "issued": {**STRING, "format": "date"}, "currency": {"enum": ["EUR", "USD", "GBP"]},
        "customer": record({"name": STRING, "email": {**STRING, "format": "email"},
                            "address": record({"street": STRING, "city": STRING,
                                               "zip": {**STRING, "pattern": "^\\d{5}$"},
                                               "country": STRING})}),
        "lines": listed(record({"description": STRING, "quantity": {**INTEGER, "minimum": 1},
                                "unit_price": {**NUMBER, "minimum": 0}}), minItems=1),
        "total": NUMBER, "paid": BOOLEAN}),
     {"invoice_number": "INV-004711", "issued": "2025-03-14", "currency": "EUR",
      "customer": {"name": "Muster GmbH", "email": "a.b@example.com",
                   "address": {"street": "Hauptstr. 1", "city": "Ulm", "zip": "89073",
                               "country": "DE"}},
      "lines": [{"description": "Consulting", "quantity": 3, "unit_price": 120.5}],
      "total": 361.5, "paid": False}),
    ("resume", record({
        "name": STRING, "email": {**STRING, "format": "email"}, "phone": nullable(STRING),
        "skills": listed(STRING, maxItems=20),
        "experience": listed(record({"company": STRING, "title": STRING, "from": {
            **STRING, "format": "date"}, "to": nullable({**STRING, "format": "date"}),
            "highlights": listed(STRING)})),
        "education": listed(record({"school": STRING, "degree": {
            "enum": ["BSc", "MSc", "PhD", "other"]}, "year": {
                **INTEGER, "minimum": 1950, "maximum": 2030}}))}),
     {"name": "Jane Doe", "email": "jane@doe.org", "phone": None, "skills": ["C++", "SQL"],
      "experience": [{"company": "Acme", "title": "Engineer", "from": "2019-01-01", "to": None,
                      "highlights": ["Built the thing."]}],
      "education": [{"school": "MIT", "degree": "MSc", "year": 2015}]}),
    ("tweet, bounded", record({"text": {**STRING, "maxLength": 280},
                               "tags": listed({**STRING, "maxLength": 30}, maxItems=5)}),
     {"text": LOREM.replace('"', "'"), "tags": ["results", "asia"]}),
    ("product review", record({"rating": {**INTEGER, "minimum": 1, "maximum": 5},
                               "sentiment": {"enum": ["positive", "neutral", "negative"]},
                               "pros": listed(STRING, maxItems=5),
                               "cons": listed(STRING, maxItems=5),
                               "summary": {**STRING, "minLength": 1, "maxLength": 500}}),
     {"rating": 4, "sentiment": "positive", "pros": ["light"], "cons": [],
      "summary": LOREM.replace('"', "'")}),
    ("entities", record({"entities": listed(record({
        "text": STRING, "type": {"enum": ["person", "place", "organisation", "date", "money"]},
        "start": {**INTEGER, "minimum": 0}, "end": {**INTEGER, "minimum": 0},
        "confidence": {**NUMBER, "minimum": 0, "maximum": 1}}))}),
     {"entities": [{"text": "Paris", "type": "place", "start": 10, "end": 15,
                    "confidence": 0.93}]}),
    ("SQL plan", record({"query": STRING, "tables": listed(STRING), "read_only": {"const": True},
                         "parameters": {"type": "object", "additionalProperties": {
                             "type": ["string", "number", "boolean", "null"]}}}),
     {"query": "SELECT * FROM users WHERE id = $1", "tables": ["users"], "read_only": True,
      "parameters": {"id": 7}}),
    ("shapes, anyOf", record({"shapes": listed({"anyOf": [
        record({"kind": {"const": "circle"}, "radius": NUMBER}),
        record({"kind": {"const": "rectangle"}, "width": NUMBER, "height": NUMBER}),
        record({"kind": {"const": "polygon"}, "points": listed(
            {"type": "array", "prefixItems": [NUMBER, NUMBER], "items": False,
             "minItems": 2})})]})}),
     {"shapes": [{"kind": "circle", "radius": 2}, {"kind": "polygon", "points": [[0, 1.5]]}]}),
    ("agent step", record({"thought": STRING, "action": {"anyOf": [
        record({"tool": {"const": "search"}, "query": STRING, "limit": {
            **INTEGER, "minimum": 1, "maximum": 100}}),
        record({"tool": {"const": "open"}, "url": {**STRING, "format": "uri"}}),
        record({"tool": {"const": "finish"}, "answer": STRING})]}}),
     {"thought": "I need the page.", "action": {"tool": "open", "url": "https://example.com/a"}}),
    ("file edits", record({"edits": listed(record({
        "path": STRING, "operation": {"enum": ["create", "replace", "delete"]},
        "first_line": nullable(INTEGER), "last_line": nullable(INTEGER),
        "text": nullable(STRING)})), "commit_message": {**STRING, "maxLength": 72}}),
     {"edits": [{"path": "src/a.cpp", "operation": "replace", "first_line": 3, "last_line": 4,
                 "text": "int main() {\n  return 0;\n}\n"}], "commit_message": "a: return 0"}),
    ("contact", {"type": "object", "properties": {
        "name": STRING, "id": {**STRING, "format": "uuid"},
        "phone": {**STRING, "pattern": "^\\+?[0-9 ()-]{5,20}$"},
        "site": {**STRING, "format": "uri"}, "ip": {**STRING, "format": "ipv4"},
        "seen": {**STRING, "format": "date-time"}}, "required": ["name", "id"]},
     {"name": "Ann", "id": "123e4567-e89b-12d3-a456-426614174000", "phone": "+49 (731) 12345",
      "site": "https://example.com", "ip": "10.0.0.1", "seen": "2024-05-06T07:08:09Z"}),
    ("quiz", record({"questions": listed(record({
        "question": STRING, "options": listed(STRING, minItems=4, maxItems=4),
        "answer": {"enum": ["A", "B", "C", "D"]}, "points": {"enum": [1, 2, 5]}}),
        minItems=1, maxItems=10)}),
     {"questions": [{"question": "2 + 2?", "options": ["1", "2", "3", "4"], "answer": "D",
                     "points": 1}]}),
    ("free form", {"type": "object", "properties": {"title": STRING, "data": {}},
                   "required": ["title"], "additionalProperties": True},
     {"title": "x", "data": {"a": [1, {"b": None}]}, "more": "y"}),
    ("order, tool call", record({
        "order_id": {**STRING, "pattern": "^[A-Z]{2}[0-9]{8}$"}, "sku": {
            **STRING, "minLength": 3, "maxLength": 12}, "quantity": {
                **INTEGER, "minimum": 1, "maximum": 999},
        "ship_to": record({"street": {**STRING, "maxLength": 100}, "state": {
            **STRING, "pattern": "^[A-Z]{2}$"}, "zip": {
                **STRING, "pattern": "^[0-9]{5}(-[0-9]{4})?$"}}),
        "gift_note": nullable({**STRING, "maxLength": 200})}),
     {"order_id": "AB12345678", "sku": "SKU-1234", "quantity": 2,
      "ship_to": {"street": "1 Main St", "state": "CA", "zip": "94103-1234"},
      "gift_note": "Happy birthday, with love from all of us!"}),
]

# name, kind, text, answer
OTHERS = [
    ("any JSON object", "object", "", json.dumps({"a": LOREM, "b": [1, 2.5, None]})),
    ("regex: e-mail", "regex", r"\w+@\w+\.com", "someone@example.com"),
    ("regex: sentence", "regex", r"[A-Z][^.!?]{10,200}[.!?]", "This is one sentence, no more."),
    ("regex: ambiguous", "regex", r"(a|b|ab|ba)*c", "abababababababababababc"),
    ("regex: crossing", "regex", r"(\w+ ?)*\.", "the quick brown fox jumps over it."),
    ("regex: .{0,500}", "regex", r"(.{0,200}x){0,3}", "the box and the fox"),
    ("choice", "choice", json.dumps(["yes", "no", "maybe"]), "maybe"),
    ("EBNF: sums", "ebnf",
     'root ::= term (" + " term)*\nterm ::= [0-9]+ | "(" root ")"', "1 + (22 + 3) + 4"),
]


def cases():
    for name, schema, answer in SCHEMAS:
        yield {"name": name, "kind": "schema", "text": json.dumps(schema),
               "answer": json.dumps(answer, ensure_ascii=False)}
    for name, kind, text, answer in OTHERS:
        yield {"name": name, "kind": kind, "text": text, "answer": answer}


if __name__ == "__main__":
    print(json.dumps(list(cases()), indent=1))
