#!/usr/bin/env python3
"""Tests of the tidy rules: each catches its bad snippets and leaves a good tree alone."""

import os
import sys
import unittest

import cpp
import tidy
from tree import Tree

HEADER = "// What it is for.\n#pragma once\n"
CATALOGUE = '''// The messages.
#include "base/error.h"
const Entry entries[] = {
    {"file.missing", kNotFound, "{0}: not there",
     "check {1}"},
};
'''
GOOD = {
    "CMakeLists.txt": "add_subdirectory(src)\n",
    "README.md": "# Tulou\n\n## Two words\n\n[tour](src/README.md) [here](#two-words)\n"
                 "[web](https://x)\n",
    "src/README.md": "[up](../README.md#two-words), [a folder](base)\n",
    "src/base/CMakeLists.txt": "tulou_folder(base SOURCES catalogue.cpp error.cpp\n"
                               "  TESTS error_test.cpp)\n",
    "src/base/catalogue.cpp": CATALOGUE,
    "src/base/error.h": HEADER,
    "src/base/error.cpp": '#include "base/error.h"\n\n'
                          'void f() { throw Error("file.missing", a, b); }\n',
    "src/base/error_test.cpp": '// catalogue.cpp too\n#include "base/error.h"\n'
                               "#include <gtest/gtest.h>\n",
    "src/kernels/CMakeLists.txt": "tulou_folder(kernels SOURCES dot/dot.cpp DEPENDS tulou_base\n"
                                  "  TESTS dot/dot_test.cpp)\n",
    "src/kernels/dot/dot.cpp": '#include "base/error.h"\n#include <immintrin.h>\n',
    "src/kernels/dot/dot_test.cpp": "// Nothing.\n",
}


def lines_of(count):
    return "".join(f"  x = {i};\n" for i in range(count))


def function(count, name="f"):
    """A function whose braces span `count` lines."""
    return f"void {name}() {{\n{lines_of(count - 2)}}}\n"


# rule -> list of changes of the good tree, each of which must be found by that rule.
BAD = {
    "line_length": [{"src/base/error.h": HEADER + "// " + "x" * 98 + "\n"},
                    {"tools/thing": "#!/bin/sh\n# " + "x" * 99 + "\n"}],
    "file_length": [{"src/base/error.h": HEADER + "int x;\n" * 499}],
    "function_length": [
        {"src/base/error.cpp": function(71)},
        {"src/base/error.cpp": "A::A(int b) : b_{b}, c_(1) {\n" + lines_of(70) + "}\n"},
        {"src/base/error.cpp": "namespace a {\nclass B {\n public:\n" + function(71) + "};\n}\n"},
        {"src/base/error.cpp": "TEST(Base, Long) {\n" + lines_of(70) + "}\n"},
        {"src/base/error.cpp": "// tidy: state machine\n" + function(151)},
        {"src/base/error.cpp": "auto f = [](int x) {\n" + lines_of(70) + "};\n"},
        {"src/kernels/dot/dot.cpp": function(121)},
    ],
    "ascii_only": [{"src/base/error.h": HEADER + "// \u00e9\n"}],
    "text_files": [{"src/base/error.h": HEADER + "int x; \n"},
                   {"src/base/error.h": HEADER + "\tx\n"},
                   {"src/base/error.h": HEADER + "int x;"}],
    "headers": [{"src/base/error.h": "#pragma once\n"},
                {"src/base/error.h": "// For x.\nint x;\n"}],
    "include_table": [
        {"src/base/error.h": HEADER + '#include "kernels/dot.h"\n'},
        {"src/base/error.h": HEADER + '#include "error.h"\n'},
        {"src/base/error.h": HEADER + "#include <gtest/gtest.h>\n"},
        {"src/kernels/dot/dot.cpp": "#include <nlohmann/json.hpp>\n"},
        {"src/kernels/dot/dot_test.cpp": '#include "model/model.h"\n'},
        {"src/engine/engine.h": HEADER + '#include "text/tokenizer.h"\n'},
        {"src/helpers/a.h": HEADER},
    ],
    "link_table": [
        {"src/base/CMakeLists.txt": "tulou_folder(base DEPENDS tulou_kernels)\n"},
        {"src/kernels/dot/dot.cpp": '#include "tensor/view.h"\n'},
        {"src/text/a.h": HEADER},
    ],
    "built_and_tested": [
        {"src/base/new.cpp": "int x;\n"},
        {"src/base/new.cpp": "int x;\n", "src/base/CMakeLists.txt":
            "tulou_folder(base SOURCES catalogue.cpp error.cpp new.cpp TESTS error_test.cpp)\n"},
        {"src/base/CMakeLists.txt": "tulou_folder(base SOURCES catalogue.cpp error.cpp)\n"},
    ],
    "banned_calls": [
        {"src/base/error.cpp": call + "\n"} for call in (
            "void f() { exit(1); }", "int x = rand();", "std::regex r;", "int x = std::stoi(s);",
            "double x = strtod(s, &e);", "double x = atof(s);", "void f() { setlocale(0, 0); }",
            'void f() { printf("x"); }', 'void f() { std::fprintf(stderr, "x"); }',
            "void f() { std::cout << 1; }", "int* x = new int;", "void f() { delete x; }",
            "using namespace std;", "double x = std::stod(s);", "std::mt19937 r;",
            "char* x = strcpy(a, b);")
    ],
    "no_throw_in_kernels": [{"src/kernels/dot/dot.cpp": "void f() { throw 1; }\n"}],
    "no_todo": [{"src/base/error.h": HEADER + "// TODO: more\n"}, {"README.md": "FIXME later\n"}],
    "error_catalogue": [
        {"src/base/error.cpp": 'void f() { throw Error("file.gone", a); }\n'},
        {"src/base/error.cpp": 'void f() { throw base::Error("file.missing", g(a, b)); }\n'},
        {"src/base/error.cpp": 'void f() { throw Error("file.missing", a, b, c); }\n'},
        {"src/base/error.cpp": 'void f() { const base::Error error("file.missing", a); }\n'},
        {"src/base/error.cpp": "// file.missing is not used.\n"},
        {"src/base/catalogue.cpp": CATALOGUE.replace("{1}", "{2}")},
        {"src/base/catalogue.cpp": CATALOGUE + '{"file.missing", kX, "", ""},\n'},
    ],
    "words": [{"README.md": "see " + "../" + "shared\n"}, {"README.md": "as issue 3 says\n"},
              {"src/base/error.h": HEADER + "// found by an AI agent\n"}],
    "links": [{"README.md": "[x](docs/none.md)\n"},
              {"src/README.md": "[x](../README.md#three-words)\n"}],
}

# Changes that look like a fault and are none.
FINE = [
    {"src/base/error.cpp": '#include "base/error.h"\n// exit(1), rand(), TODO(#12)\n'
                           'const char* x = "printf(new)";\n' + 'auto y = R"(exit(1) {)";\n'
                           'void f() { throw Error("file.missing", g(a, b), "x, y"); }\n'},
    {"src/base/error.cpp": "A::A(const A&) = delete;\n// tidy: state machine\n// two\n"
                           + function(150) + 'int n = 1\'000;\nconst char* x = "file.missing";\n'},
    {"src/base/error.cpp": '// x\nstd::shared_ptr<A> a(new A);\nint x = "file.missing";\n'},
    {"src/base/error.cpp": function(70, "a") + function(70, "b") + 'f("file.missing");\n'},
    {"src/base/error.cpp": "const int table[] = {\n" + "  1,\n" * 100 + '};\nf("file.missing");\n'},
    {"src/base/error.cpp": "// Generated by a script.\nf(\"file.missing\");\n" + "int x;\n" * 600},
    {"src/kernels/dot/dot.cpp": function(120)},
    {"src/base/expect.h": HEADER + "#include <gtest/gtest.h>\n",
     "src/base/error_test.cpp": '// catalogue.cpp\n#include "base/error.h"\n'
                                '#include "base/expect.h"\n'},
    {"src/kernels/dot/simd-inl.h": "// For all levels.\nint x;\n"},
    {"README.md": "# Tulou\n\n## Two words\n\nA chat session; GitHub issues; an agent.\n"},
]


def findings(rule, change):
    return list(rule(Tree({**GOOD, **change})))


class TidyTest(unittest.TestCase):
    def test_good_tree_has_no_findings(self):
        for rule in tidy.RULES:
            self.assertEqual(findings(rule, {}), [], rule.__name__)

    def test_every_rule_has_bad_snippets(self):
        self.assertEqual(sorted(BAD), sorted(rule.__name__ for rule in tidy.RULES))

    def test_every_bad_snippet_is_caught(self):
        for rule in tidy.RULES:
            for change in BAD[rule.__name__]:
                with self.subTest(rule=rule.__name__, change=change):
                    self.assertNotEqual(findings(rule, change), [])

    def test_what_only_looks_bad_is_left_alone(self):
        for change in FINE:
            for rule in tidy.RULES:
                with self.subTest(rule=rule.__name__, change=change):
                    self.assertEqual(findings(rule, change), [])

    def test_functions_are_found_in_the_real_sources(self):
        top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        tree = Tree.of_checkout(top)
        found = {f.name for _, text in tree.cpp(("src/base/",)) for f in cpp.functions(text)}
        for name in ("parse_json", "read_file", "JsonObject::integer", "MappedFile::open"):
            self.assertIn(name, found)

    def test_program_exits_with_1_on_findings_and_2_on_an_unknown_rule(self):
        self.assertEqual(tidy.main(["no_such_rule"]), 2)
        kept = tidy.RULES
        try:
            def always(_tree):
                """Always finds something."""
                yield "x"
            tidy.RULES = [always]
            self.assertEqual(tidy.main([]), 1)
        finally:
            tidy.RULES = kept


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=1).result.wasSuccessful() else 1)
