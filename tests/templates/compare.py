#!/usr/bin/env python3
"""Compares the program's chat templates with Jinja2: 0 differences is the figure.

usage: compare.py --binary PATH --work DIR [--gguf FILE] [--template FILE]...
PATH: the tulou program, or template_tool (which is built into tests/templates beside it).
FILE: SmolLM2's GGUF; without it, tools/demo_model says where it is (and fetches it). --template
adds templates to compare. Needs the packages jinja2 and gguf. About half a minute.

Every conversation of conversations.py is rendered by every template here and SmolLM2's own;
zoo.json holds a template for each construct. A template that Jinja2 refuses must be refused; where
only ours refuses, it must say that it does not support a construct, and is counted. Text that came
from the conversation must be marked as such: its every byte is followed through the templates.
"""

import argparse
import collections
import glob
import json
import os
import random
import subprocess
import sys

import conversations
import oracle

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MAX_REFUSED = 35  # constructs of zoo.json that are known not to be supported


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def smollm2_template(gguf):
    from gguf import GGUFReader

    return GGUFReader(gguf).fields["tokenizer.chat_template"].contents()


class Tool:
    """Renders many cases at once."""

    def __init__(self, binary, work):
        self.work = work
        self.binary = binary
        if os.path.basename(binary) != "template_tool":
            self.binary = os.path.join(os.path.dirname(binary), "tests/templates/template_tool")

    def render(self, templates, contexts, cases):
        """Results for cases, pairs of a template's and a context's name."""
        path = os.path.join(self.work, "cases.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(
                {
                    "templates": templates,
                    "contexts": contexts,
                    "cases": [{"template": t, "context": c} for t, c in cases],
                },
                file,
            )
        done = subprocess.run([self.binary, path], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)


def compare(what, templates, contexts, cases, results, max_refused=0):
    """The number of differences, reported."""
    counts = collections.Counter()
    for (template, context), ours in zip(cases, results, strict=True):
        theirs = oracle.render(templates[template], contexts[context])
        if ours.get("text") == theirs:
            counts["equal" if theirs is not None else "both refuse"] += 1
        elif "error" in ours and ours["error"] == "template.unsupported" and max_refused:
            counts["not supported"] += 1
        else:
            counts["differences"] += 1
            if counts["differences"] <= 3:
                print(
                    f"  {ascii(templates[template])[-300:]}\n  {ascii(contexts[context])[:500]}\n"
                    f"  ours   {ascii(ours)[:500]}\n  theirs {ascii(theirs)[:500]}"
                )
    if counts["not supported"] > max_refused:
        counts["differences"] += 1
        print(f"  {counts['not supported']} are not supported, {max_refused} are known")
    counts.setdefault("differences", 0)
    print(
        f"{what:28} {len(cases)} compared: "
        + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())),
        flush=True,
    )
    return counts["differences"]


def check_golden(tool, templates):
    """Renderings that were published for the official templates."""
    golden = json.loads(read(os.path.join(HERE, "golden.json")))
    contexts = {str(i): one["context"] for i, one in enumerate(golden)}
    results = tool.render(
        templates, contexts, [(one["template"], str(i)) for i, one in enumerate(golden)]
    )
    wrong = 0
    for one, ours in zip(golden, results, strict=True):
        text = ours.get("text")
        good = (
            text is None
            if one.get("fails")
            else text is not None
            and text == one.get("text", text)
            and all(p in text for p in one.get("contains", []))
        )
        wrong += not good
    print(f"{'published renderings':28} {len(golden)} compared: {wrong} differences")
    return wrong


def marked(value, rng, keep=()):
    """The value with private-use characters strewn into every string but those at `keep`."""
    if isinstance(value, str):
        pieces = [chr(rng.randrange(0xE000, 0xF8FF)) + c for c in value]
        return "".join(pieces) + chr(0xE000)
    if isinstance(value, list):
        return [marked(item, rng, keep) for item in value]
    if isinstance(value, dict):
        return {
            key: item if key in keep else marked(item, rng, keep) for key, item in value.items()
        }
    return value


def check_provenance(what, tool, templates, contexts):
    """Each private-use character stands in the conversation only, so it must be marked as data; the
    control tokens of the templates must not be."""
    rng = random.Random(3)
    keep = ("role", "type", "bos_token")
    cases = [(template, context) for template in templates for context in contexts]
    tainted = {name: marked(context, rng, keep) for name, context in contexts.items()}
    wrong = texts = 0
    for (template, _), ours in zip(cases, tool.render(templates, tainted, cases), strict=True):
        if "text" not in ours:
            continue
        texts += 1
        raw = ours["text"].encode()
        data = bytearray(len(raw))
        for begin, end in ours["data"]:
            data[begin:end] = b"\1" * (end - begin)
        # U+E000..U+F8FF are the bytes EE 80 80 to EF A3 BF; nothing else begins with EE.
        bad = any(raw[i] == 0xEE and 0 in data[i : i + 3] for i in range(len(raw)))
        for token in (b"<|im_start|>", b"<|im_end|>"):
            at = raw.find(token)
            while at >= 0 and "qwen" in template:
                bad |= 1 in data[at : at + len(token)]
                at = raw.find(token, at + 1)
        wrong += bad
        if bad and wrong <= 3:
            print(f"  {ascii(templates[template])[-300:]}\n  {ascii(ours)[:500]}")
    print(f"{what:28} {texts} texts: {wrong} with text of the wrong origin", flush=True)
    return wrong


def check_command(binary, work, templates, contexts):
    """The command `render` itself, on folders that hold a template only."""
    wrong = compared = 0
    for name in sorted(templates):
        folder = os.path.join(work, name)
        os.makedirs(folder, exist_ok=True)
        with open(
            os.path.join(folder, "chat_template.jinja"), "w", encoding="utf-8", newline=""
        ) as file:
            file.write(templates[name])
        for key in sorted(contexts)[:6]:
            path = os.path.join(work, "conversation.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(contexts[key], file)
            done = subprocess.run(
                [binary, "render", folder, path],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
            theirs = oracle.render(templates[name], contexts[key])
            compared += 1
            ours = done.stdout.decode() if done.returncode == 0 else None
            if ours != theirs:
                wrong += 1
                print(f"  {name} {key}: {ascii(ours)[:300]} {done.stderr.decode()[:200]}")
    print(f"{'the command render':28} {compared} compared: {wrong} differences")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--gguf")
    parser.add_argument("--template", action="append", default=[])
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    gguf = (
        args.gguf
        or subprocess.run(
            [os.path.join(TOP, "tools/demo_model")], stdout=subprocess.PIPE, check=True, text=True
        ).stdout.strip()
    )
    templates = {
        os.path.basename(path)[: -len(".jinja")]: read(path)
        for path in sorted(glob.glob(os.path.join(HERE, "*.jinja")))
    }
    templates["smollm2"] = smollm2_template(gguf)
    for path in args.template:
        templates["qwen_" + os.path.basename(path)] = read(path)
    contexts = {str(i): c for i, c in enumerate(conversations.conversations())}
    tool = Tool(args.binary, args.work)
    wrong = check_golden(tool, templates)
    for name, source in templates.items():
        cases = [(name, key) for key in contexts]
        wrong += compare(
            name, {name: source}, contexts, cases, tool.render({name: source}, contexts, cases)
        )
    zoo = json.loads(read(os.path.join(HERE, "zoo.json")))
    sources = ["{{ " + one + " }}" for one in zoo["expressions"]] + zoo["templates"]
    constructs = {str(i): source for i, source in enumerate(sources)}
    plain = {"plain": zoo["context"]}
    cases = [(name, "plain") for name in constructs]
    wrong += compare(
        "constructs", constructs, plain, cases, tool.render(constructs, plain, cases), MAX_REFUSED
    )
    wrong += check_provenance("provenance: conversations", tool, templates, contexts)
    wrong += check_provenance("provenance: constructs", tool, constructs, plain)
    if os.path.basename(args.binary) != "template_tool":
        del templates["smollm2"]  # its command is tested with the GGUF itself
        wrong += check_command(args.binary, args.work, templates, contexts)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
