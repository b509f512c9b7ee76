#!/usr/bin/env python3
"""Writes the seeds of template_parse and template_render.

usage: make_template_seeds.py [CORPUS]      needs only Python

They are a template of tests/templates and the constructs of its zoo.json, several to a file.
"""

import json
import pathlib
import sys


def groups(items: list, size: int) -> list:
    return [items[i : i + size] for i in range(0, len(items), size)]


def main() -> None:
    here = pathlib.Path(__file__).resolve().parent
    corpus = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "corpus"
    source = here.parent / "tests" / "templates"
    zoo = json.loads((source / "zoo.json").read_text(encoding="utf-8"))
    expressions = ["{{ " + one + " }}" for one in zoo["expressions"]]
    # One whole template; more would make the runs slow.
    seeds = {"qwen2_5": (source / "qwen2_5.jinja").read_text(encoding="utf-8")}
    for target, size in (("template_parse", 8), ("template_render", 6)):
        files = dict(seeds)
        for name, items in (("expressions", expressions), ("statements", zoo["templates"])):
            for i, group in enumerate(groups(items, size)):
                files[f"{name}_{i:03}"] = "\n".join(group)
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")


if __name__ == "__main__":
    main()
