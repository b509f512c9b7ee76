#!/usr/bin/env python3
"""Checks the rules of the repository that a compiler does not: sizes, includes, names, messages.

usage: tidy.py [--list] [RULE...]      without RULE: all of them, on the whole checkout
"""

import os
import sys

import rules_content
import rules_layout
from tree import Tree

RULES = rules_layout.RULES + rules_content.RULES


def main(arguments):
    if "--list" in arguments:
        for rule in RULES:
            print(f"{rule.__name__:20} {rule.__doc__}")
        return 0
    chosen = [rule for rule in RULES if not arguments or rule.__name__ in arguments]
    if not chosen:
        print(f"no such rule: {' '.join(arguments)}", file=sys.stderr)
        return 2
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    tree = Tree.of_checkout(top)
    findings = 0
    for rule in chosen:
        for finding in rule(tree):
            print(f"{finding}  [{rule.__name__}]")
            findings += 1
    print(f"tidy: {len(chosen)} rules, {len(tree.files)} files, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
