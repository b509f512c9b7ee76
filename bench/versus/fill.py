#!/usr/bin/env python3
"""Puts a text between the marks of a document: <!-- results NAME --> and <!-- end NAME -->.

usage: fill.py DOCUMENT.md NAME < TEXT
"""

import re
import sys


def filled(document, name, text):
    """The document with the text between the marks; ValueError if they do not stand there once."""
    marks = (f"<!-- results {name} -->\n", f"<!-- end {name} -->")
    pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
    if len(re.findall(pattern, document, re.DOTALL)) != 1:
        raise ValueError(f"no place for {name}")
    return re.sub(pattern, lambda _: f"{marks[0]}{text.strip()}\n{marks[1]}", document,
                  flags=re.DOTALL)


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    path, name = arguments
    with open(path, encoding="utf-8") as file:
        document = file.read()
    try:
        document = filled(document, name, sys.stdin.read())
    except ValueError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    with open(path, "w", encoding="utf-8") as file:
        file.write(document)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
