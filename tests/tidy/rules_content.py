"""Rules about what stands in the files: calls, error messages, words, links."""

import os
import re

import cpp
from tree import ALLOWED, folder_of, is_data, is_test

EVERYWHERE = {
    r"\b(exit|_exit|quick_exit|abort)\s*\(": "end a program by returning from main",
    r"\b(rand|srand|rand_r|drand48)\s*\(": "use base/rng.h",
    r"\bstd::regex\b": "it crashes on long input",
    r"\b(sto[ifdl]|stoul|stoll|stoull|stold|strto[dfl]|strtold|strtou?ll?|ato[ifl]|sscanf)\s*\(":
        "use base/number.h (independent of the locale)",
    r"\b(setlocale|std::locale)\b": "the program keeps the C locale",
    r"\b(v?sprintf|strcpy|strcat|gets|strtok|alloca)\s*\(": "unsafe",
    r"(?<!\w)(?:std)?::(system)\s*\(": "unsafe",
    r"\busing\s+namespace\s+std\b": "name what you use",
}
OUTSIDE_CLI = {
    r"\b(v?f?printf|puts|fputs|putchar|perror)\s*\(": "only cli writes to the terminal",
    r"\bstd::(cout|cerr|clog)\b": "only cli writes to the terminal",
}
OUTSIDE_TESTS = {
    r"\bpopen\s*\(": "unsafe",
    r"\b(random_device|mt19937(?:_64)?|default_random_engine)\b": "use base/rng.h",
    r"(?<!_ptr<)\bnew\b(?!\s*>)": "use std::make_unique or a container",
    r"\bdelete\b": "use an owner",
}


def _matches(code, patterns):
    for pattern, advice in patterns.items():
        for match in re.finditer(pattern, code):
            yield match, advice


def _is_owned(line):
    """`new` that a smart pointer takes at once (private constructors), and deleted functions."""
    return bool(re.search(r"(_ptr|\bRef)<[^;]*[({]\s*new\b", line)
                or re.search(r"^\s*(: )?\w+_\(new \w+Node\(", line)
                or re.search(r"=\s*delete\b", line)
                or re.search(r"\boperator\s+(new|delete)\b", line))


def banned_calls(tree):
    """Calls with a better or safer replacement are not used."""
    for path, text in tree.cpp(("src/", "fuzz/")):
        code = cpp.without_preprocessor(cpp.blanked(text))
        lines = code.split("\n")
        patterns = dict(EVERYWHERE)
        if folder_of(path) != "cli" and not is_test(path):
            patterns.update(OUTSIDE_CLI)
        if not is_test(path):
            patterns.update(OUTSIDE_TESTS)
        for match, advice in _matches(code, patterns):
            number = code.count("\n", 0, match.start()) + 1
            word = re.search(r"\w+(?=\W*$)", match.group(0)).group(0)
            if (path, word) in ALLOWED:
                continue
            if word in ("new", "delete") and _is_owned(lines[number - 1]):
                continue
            yield f"{path}:{number}: {word}: {advice}"


def no_throw_in_kernels(tree):
    """Kernels throw nothing: they run in the threads of the pool."""
    for path, text in tree.cpp(("src/kernels/",)):
        if is_test(path) or path.count("/") < 3:
            continue
        code = cpp.blanked(text)
        for match in re.finditer(r"\bthrow\b", code):
            yield f"{path}:{code.count(chr(10), 0, match.start()) + 1}: a kernel throws"


def no_todo(tree):
    """What is left to do is written down elsewhere, or carries its number: TODO(#12)."""
    for path, text in tree.select():
        if path.startswith("tests/tidy/") or is_data(path):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))", line):
                yield f"{path}:{number}: a note without a number"


CATALOGUE = "src/base/catalogue"  # how the paths of its sources begin
ID = r"[a-z0-9_]+(?:\.[a-z0-9_]+)+"


def catalogue_entries(path, text, entries):
    """Adds id -> (place, numbers of the arguments) from a source of the catalogue."""
    code = cpp.blanked(text, keep_strings=True)
    for match in re.finditer(rf'\{{\s*"({ID})"\s*,\s*k\w+\s*,', code):
        # Strings are kept, so the end of an entry is found in the version without them.
        end = cpp.split_arguments(cpp.blanked(text), match.start())[-1][1]
        slots = [int(n) for n in re.findall(r"\{(\d)\}", code[match.end():end])]
        line = code.count("\n", 0, match.start()) + 1
        entries.setdefault(match.group(1), []).append((f"{path}:{line}", slots))


def error_catalogue(tree):
    """Error ids and the catalogue agree, in both directions and in the number of arguments."""
    entries = {}
    for path, text in tree.files.items():
        if path.startswith(CATALOGUE) and path.endswith(".cpp"):
            catalogue_entries(path, text, entries)
    if not entries:
        return
    for name, places in entries.items():
        slots = places[0][1]
        if len(places) > 1:
            yield f"{places[1][0]}: {name} stands twice"
        if set(slots) != set(range(max(slots, default=-1) + 1)):
            yield f"{places[0][0]}: {name}: arguments are not 0, 1, 2 ... without holes"
    used = set()
    for path, source in tree.cpp(("src/",)):
        if path.startswith(CATALOGUE) or is_test(path):
            continue
        code = cpp.blanked(source, keep_strings=True)
        bare = cpp.blanked(source)
        used.update(re.findall(rf'"({ID})"', code))
        for match in re.finditer(rf'\bError\s*(?:\w+\s*)?([({{])\s*"({ID})"', code):
            number = code.count("\n", 0, match.start()) + 1
            name = match.group(2)
            if name not in entries:
                yield f"{path}:{number}: {name} is not in the catalogue"
                continue
            ranges = cpp.split_arguments(bare, match.start(1))
            given = len(ranges) - 1 if ranges else 0
            wanted = max(entries[name][0][1], default=-1) + 1
            if given != wanted:
                yield f"{path}:{number}: {name} takes {wanted} arguments, {given} are given"
    for name, places in entries.items():
        if name not in used:
            yield f"{places[0][0]}: {name} is used nowhere"


# How the project is developed is not its users' business, and a clone has no neighbours.
WORDS = [
    r"\.\./shared", r"/work/(shared|main)\b", r"/tmp/(brief|infra)\b", r"fresh-debian",
    r"\bissue #?\d+", r"\bissue tracker\b", r"\b(AI|LLM|coding|sub)[- ]?agents?\b",
    r"\b(this|previous|next|earlier|last|another) session\b", r"\bClaude\b(?! Code)",
    r"\bas an AI\b",
]


def words(tree):
    """No text speaks of how the project is developed or of places outside of it."""
    for path, text in tree.select():
        data = path.endswith((".json", ".txt")) and "CMake" not in path
        if path.startswith("tests/tidy/") or is_data(path) or data:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for pattern in WORDS:
                match = re.search(pattern, line, re.IGNORECASE)
                if match:
                    yield f'{path}:{number}: "{match.group(0)}"'


def _anchors(text):
    found = set()
    for line in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", line.strip().lower())
        found.add(kept.replace(" ", "-"))
    return found


def links(tree):
    """Links between documents lead somewhere."""
    folders = {os.path.dirname(path) for path in tree.files}
    folders |= {parent for folder in folders for parent in _parents(folder)}
    for path, text in tree.select(endings=(".md",)):
        prose = re.sub(r"```.*?```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.DOTALL)
        for match in re.finditer(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
            target = match.group(1)
            if re.match(r"[a-z]+:", target):
                continue
            number = prose.count("\n", 0, match.start()) + 1
            name, _, anchor = target.partition("#")
            full = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if full not in tree.files and full not in folders:
                yield f"{path}:{number}: {target} leads nowhere"
            elif anchor and full.endswith(".md") and anchor not in _anchors(tree.files[full]):
                yield f"{path}:{number}: {target}: no such heading"


def _parents(folder):
    while folder:
        folder = os.path.dirname(folder)
        yield folder


RULES = [banned_calls, no_throw_in_kernels, no_todo, error_catalogue, words, links]
