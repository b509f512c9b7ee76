"""Rules about sizes, characters, and which file may see which."""

import os
import re

import cpp
from tree import ALLOWED, TESTED_ELSEWHERE, MAY_INCLUDE, OUTSIDE, folder_of, is_generated, is_test

MAX_COLUMNS = 100
MAX_LINES = 500
MAX_FUNCTION = 70
MAX_KERNEL = 120
MAX_STATE_MACHINE = 150


def line_length(tree):
    """A line of code has at most 100 columns."""
    for path, text in tree.sources():
        if is_generated(text):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_COLUMNS:
                yield f"{path}:{number}: {len(line)} columns, allowed are {MAX_COLUMNS}"


def file_length(tree):
    """A source has at most 500 lines; generated tables are exempt."""
    for path, text in tree.sources():
        count = text.count("\n")
        if count > MAX_LINES and not is_generated(text):
            yield f"{path}: {count} lines, allowed are {MAX_LINES}: split it by what its parts do"


def function_length(tree):
    """A function has at most 70 lines, in kernels 120, a marked state machine 150."""
    for path, text in tree.cpp():
        if is_generated(text):
            continue
        lines = text.split("\n")
        for function in cpp.functions(text):
            limit = MAX_KERNEL if path.startswith("src/kernels/") else MAX_FUNCTION
            above = function.header_line - 2
            while above >= 0 and lines[above].lstrip().startswith("//"):
                if "// tidy: state machine" in lines[above]:
                    limit = MAX_STATE_MACHINE
                above -= 1
            if function.length > limit and (path, function.name) not in ALLOWED:
                yield (f"{path}:{function.first_line}: {function.name} has {function.length} "
                       f"lines, allowed are {limit}")


def ascii_only(tree):
    """Sources are ASCII; other characters are written as escapes, or live in data files."""
    for path, text in tree.sources():
        if path.startswith("tests/") and path.endswith(".py"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if not line.isascii():
                yield f"{path}:{number}: not ASCII"


def text_files(tree):
    """A text file ends with a line end, and has no tabs or trailing spaces in code."""
    for path, text in tree.sources():
        if text and not text.endswith("\n"):
            yield f"{path}: does not end with a line end"
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: space at the end of the line"
            if "\t" in line:
                yield f"{path}:{number}: a tab"


def headers(tree):
    """A header opens with a comment; it has #pragma once unless it is to be included again."""
    for path, text in tree.select(("src/",), (".h", ".inc")):
        if not text.startswith("//"):
            yield f"{path}: does not open with a comment that says what it is for"
        again = path.endswith(("-inl.h", ".inc")) or os.path.basename(path).startswith("foreach_")
        if not again and "\n#pragma once\n" not in text:
            yield f"{path}: no #pragma once"


def includes_of(text):
    code = cpp.blanked(text, keep_strings=True)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', code, re.MULTILINE):
        yield code.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def _reachable(folder):
    """What a folder's tests may include: all that it stands on."""
    found = set(MAY_INCLUDE[folder])
    for other in MAY_INCLUDE[folder]:
        found |= _reachable(other) if folder != "cli" else set()
    return found


def _support_of_tests(tree):
    """Headers that only tests include, directly or through each other."""
    includers = {}
    for path, text in tree.cpp(("src/", "fuzz/")):
        for _, quote, target in includes_of(text):
            if quote == '"':
                includers.setdefault("src/" + target, set()).add(path)
    support = {path for path in includers if not is_test(path)}
    while True:
        kept = {path for path in support
                if all(is_test(p) or p in support for p in includers[path])}
        if kept == support:
            return support
        support = kept


def include_table(tree):
    """A folder includes only what the table in tests/tidy/tree.py allows."""
    support = _support_of_tests(tree)
    for path, text in tree.cpp(("src/",)):
        folder = folder_of(path)
        if folder is None:
            continue
        if folder not in MAY_INCLUDE:
            yield f"{path}: the folder {folder} is not in the include table (tests/tidy/tree.py)"
            continue
        for number, quote, target in includes_of(text):
            if quote == '"':
                other = target.split("/")[0]
                if "/" not in target:
                    yield f'{path}:{number}: "{target}": write the path from src/'
                elif other != folder and other not in (
                        _reachable(folder) if is_test(path) else MAY_INCLUDE[folder]):
                    yield f"{path}:{number}: {folder} may not include {other}"
                continue
            if target.startswith("gtest/") and not is_test(path) and path not in support:
                yield f"{path}:{number}: GoogleTest outside of a test"
            for prefix, allowed in OUTSIDE.items():
                if target.startswith(prefix) and folder not in allowed:
                    names = ", ".join(sorted(allowed))
                    yield f"{path}:{number}: only {names} may include <{target}>"


def _cmake_folder(tree, folder):
    """The folder's CMakeLists.txt and those below it as one text; None if there is none."""
    texts = [text for _, text in tree.select((f"src/{folder}/",), ("CMakeLists.txt",))]
    return "\n".join(texts) if texts else None


def link_table(tree):
    """A folder's CMake target links exactly the folders that its sources include."""
    folders = sorted({folder_of(path) for path, _ in tree.cpp(("src/",))} - {None})
    for folder in folders:
        cmake = _cmake_folder(tree, folder)
        if cmake is None:
            yield f"src/{folder}: no CMakeLists.txt"
            continue
        cmake = re.sub(r"#.*", "", cmake)
        linked = set(re.findall(r"\btulou_(\w+)", cmake))
        linked &= set(MAY_INCLUDE) - {folder}
        for other in sorted(linked - MAY_INCLUDE.get(folder, set())):
            yield f"src/{folder}/CMakeLists.txt: {folder} may not link {other}"
        used = {}
        for path, text in tree.cpp((f"src/{folder}/",)):
            for _, quote, target in includes_of(text):
                if quote == '"' and not is_test(path):
                    used.setdefault(target.split("/")[0], path)
        for other in sorted(set(used) & set(MAY_INCLUDE) - linked - {folder}):
            if other != "base":  # every folder gets base through what it links
                yield (f"src/{folder}/CMakeLists.txt: does not link {other}, which {used[other]} "
                       "includes")


def built_and_tested(tree):
    """Every .cpp is built and tested: x_test.cpp is for x.cpp and x_*.cpp, or a test beside it
    includes its header or names it."""
    for path, text in tree.select(("src/",), (".cpp",)):
        folder = folder_of(path)
        cmake = folder and _cmake_folder(tree, folder)
        if not cmake:
            continue
        inside = path.removeprefix(f"src/{folder}/")
        name = os.path.basename(path)
        nearest = tree.files.get(os.path.dirname(path) + "/CMakeLists.txt", "")
        if not (re.search(rf"(?<![\w/]){re.escape(inside)}(?!\w)", cmake)
                or re.search(rf"(?<![\w/]){re.escape(name)}(?!\w)", nearest)):
            yield f"{path}: not built by src/{folder}/CMakeLists.txt"
        if is_test(path) or is_generated(text) or path.startswith(tuple(TESTED_ELSEWHERE)):
            continue
        stem = path.removeprefix("src/").removesuffix(".cpp")
        beside = os.path.dirname(path) + "/"
        nested = beside != f"src/{folder}/"
        tests = {p: t for p, t in tree.select((f"src/{folder}/",), ("_test.cpp",))}
        named = any(f'"{stem}.h"' in t or re.search(rf"(?<![\w]){re.escape(name)}", t)
                    for t in tests.values())
        # Implementations of one contract (kernels, families) are tested together, beside it.
        together = nested and any(os.path.dirname(p) + "/" == beside for p in tests)
        prefix = any(path.startswith(p.removesuffix("test.cpp")) for p in tests)
        if not (named or together or prefix or path.replace(".cpp", "_test.cpp") in tests):
            yield f"{path}: no test beside it includes {stem}.h or names {name}"


RULES = [line_length, file_length, function_length, ascii_only, text_files, headers, include_table,
         link_table, built_and_tested]
