"""Regular expressions for compare.py."""

import random

# Taken, and generated texts must match.
PLAIN = [
    "[a-z]+", "\\d{4}-\\d{2}", "(yes|no)", "a*b+c?", "[^\\n]{1,5}", ".{3}", "\\w+@\\w+\\.com",
    "(a|b(c|d)*)+e", "\\u0041\\x42", "[\\w.-]+", "é|中+", "\\$\\d+(\\.\\d\\d)?", "", "(|a)b",
    "\\s\\S\\s", "[+*?{}()|]{2}", "(?P<year>\\d{4})", "a{0}b", "[\\]]x",
    "^whole$", "[\\u4e00-\\u9fff]{1,3}", "(a*)*b", "((a+)+)+c", "(a?){10}a{10}",
]

SHAPES = [
    "({0}+)+{1}", "({0}*)*{1}", "({0}|{0})*{1}", "({0}|{0}{0})+{1}", "({0}?){{25}}{0}{{25}}",
    "(.*){0}(.*){1}(.*)", "({0}+{1}?)+$", "(({0}*)*)*{1}", "({0}{{1,50}}){{1,50}}{1}",
    "(({0}{{100}}){{100}}){{100}}", "({0}|{1})*{0}({0}|{1}){{15}}", "[{0}{1}]*{0}[{0}{1}]{{40}}",
    "({0}+){{10}}+{1}", "^(({0}{1}?)*)+$", "({0}.*|{1}.*)*", "{0}{{0,10000}}{1}{{0,10000}}",
    "(({0}|{1}?)+)*", "(.{{0,200}}{0}){{0,200}}", "(({0}+)*({1}+)*)*", "({0}{{3,}}){{3,}}{1}",
]
ATOMS = ["a", "b", "ab", "\\d", "\\w", "[a-f]", ".", "é", "\\s", "(x|y)", "[^q]", "\\S"]


def expensive(count):
    """Nested and overlapping repetitions, some of them malformed."""
    rng = random.Random(11)
    seen = {"(" * 60000, "(" * 5000 + "a" + ")" * 5000, "a" * 16000, "[a-z]" * 3000, "(a+)+b"}
    yield from sorted(seen)
    while len(seen) < count:
        text = rng.choice(SHAPES).format(rng.choice(ATOMS), rng.choice(ATOMS))
        if rng.random() < 0.2:
            text = rng.choice(["(", "[", "{", "*", "^?", "\\"]) + text
        elif rng.random() < 0.3:
            text += rng.choice(SHAPES).format(rng.choice(ATOMS), rng.choice(ATOMS))
        if text not in seen:
            seen.add(text)
            yield text
