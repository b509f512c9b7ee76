#!/usr/bin/env python3
"""Writes the seeds of tool_calls.

usage: make_tool_call_seeds.py [CORPUS]      needs only Python

Each is a byte that chooses the form (bit 0: XML) and options, and the text of an answer.
"""

import pathlib
import sys

XML = {
    "two": "Text.\n\n<tool_call>\n<function=f>\n<parameter=s>\na \u00f6 \"b\\\n</parameter>\n"
           "<parameter=i>\n5\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=g>\n"
           "</function>\n</tool_call>",
    "types": "<tool_call>\n<function=f>\n<parameter=b>\nTrue\n</parameter>\n<parameter=o>\n"
             "{\"a\": [null]}\n</parameter>\n<parameter=x>\n007\n</parameter>\n</function>\n"
             "</tool_call>",
    "tags": "<tool_call>\n<function=f>\n<parameter=s>\n</parameter>\n<x>\n</function>\n\n"
            "</parameter>\n</function>\n</tool_call> after",
    "drift": "<function=f><parameter=s>a\n<parameter=i>1</parameter></function>\n<function=g>\n"
             "</function>\n</tool_call>",
    "unclosed": "<tool_call>\n<function=f>\n<parameter=s>\na\n</function>\n</tool_call>",
    "cut": "<tool_call>\n<function=f>\n<parameter=s>\nnever en",
    "twice": "<tool_call>\n<function=f>\n<parameter=s>\na\n</parameter>\n<parameter=s>\nb\n"
             "</parameter>\n</function>\n</tool_call>",
    "unknown": "<tool_call>\n<function=h>\n</function>\n</tool_call> <tool_call><tool_call>",
}
HERMES = {
    "two": "Text.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"s\": \"\u00f6 \\\" }\", \"i\": "
           "[1, 2.5e3]}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n"
           "</tool_call>",
    "order": "<tool_call>{\"arguments\": {\"a\": {\"b\": null}}, \"name\": \"f\"}</tool_call> "
             "after",
    "string": "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"s\\\": 1}\"}</tool_call>",
    "null": "<tool_call>{\"name\": \"g\", \"arguments\": null}\n<tool_call>{\"name\": \"g\"}",
    "raw": "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"a\n\tb\"}}</tool_call>",
    "cut": "<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"a",
    "broken": "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1]}</tool_call><tool_call>{{",
}


def main() -> None:
    here = pathlib.Path(__file__).resolve().parent
    corpus = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "corpus"
    folder = corpus / "tool_calls"
    folder.mkdir(parents=True, exist_ok=True)
    for form, bit, texts in (("xml", 1, XML), ("hermes", 0, HERMES)):
        for i, (name, text) in enumerate(texts.items()):
            options = bit | (2, 0, 6, 10)[i % 4]
            (folder / f"{form}_{name}").write_bytes(bytes([options]) + text.encode())


if __name__ == "__main__":
    main()
