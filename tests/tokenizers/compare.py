#!/usr/bin/env python3
"""Compares the program's tokenizers with Hugging Face tokenizers: 0 differences is the figure.

usage: compare.py --binary PATH --work DIR [--gguf FILE] [--only NAME]
PATH: the tulou program, or tokenizer_tool (which lies beside src/text in a build folder).
DIR: where the tokenizers of Qwen3, Qwen3.5 (make_qwen_tokenizers.py) and SmolLM2 are kept.
FILE: SmolLM2's GGUF; without it, tools/demo_model says where it is (and fetches it).
Needs the packages tokenizers, gguf and numpy. About three minutes.

Each tokenizer encodes the lines of corpus.py with and without recognising special tokens, and
decodes the ids, and random ones, with and without showing special tokens. The tokenizers come from
tokenizer.json, from vocab.json with merges.txt, and from the GGUF file.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys

import corpus
import make_qwen_tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CONTROL = 3  # a token type of GGUF
PART = 1 << 22  # the program takes at most so many ids at once


def smollm2_from_gguf(path, folder):
    """Writes the tokenizer of a GGUF file as tokenizer.json, by Hugging Face's own classes."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(path).fields
    content = lambda name: fields["tokenizer.ggml." + name].contents()
    assert (content("model"), content("pre")) == ("gpt2", "smollm")
    tokens, types = content("tokens"), content("token_type")
    merges = [tuple(merge.split(" ")) for merge in content("merges")]
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False)
                                  for text, kind in zip(tokens, types) if kind == CONTROL])
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))


def copy_without_json(source, folder):
    os.makedirs(folder, exist_ok=True)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(os.path.join(source, name), folder)


class Program:
    def __init__(self, binary, model, work):
        self.binary, self.model, self.work = binary, model, work

    def run(self, command, values, special):
        results, part, size = [], [], 0
        for value in values:
            if part and size + len(value) > PART:
                results += self.run_part(command, part, special)
                part, size = [], 0
            part.append(value)
            size += len(value)
        return results + self.run_part(command, part, special)

    def run_part(self, command, values, special):
        path = os.path.join(self.work, "batch.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(values, file, ensure_ascii=False)
        done = subprocess.run([self.binary, command, self.model, path, "--batch"]
                              + ["--special"] * special, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)


def report(name, what, ours, theirs, inputs):
    if len(ours) != len(theirs):
        sys.exit(f"{name}: {what}: {len(ours)} results for {len(theirs)} inputs")
    differing = [i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b]
    print(f"{name:16} {what:28} {len(theirs)} compared, {len(differing)} differences", flush=True)
    for i in differing[:3]:
        print(f"  input  {ascii(inputs[i])[:300]}\n  ours   {ascii(ours[i])[:300]}\n"
              f"  theirs {ascii(theirs[i])[:300]}")
    return len(differing)


def random_ids(count, num_tokens):
    rng = random.Random(2)
    return [[rng.randrange(num_tokens) for _ in range(rng.randrange(1, 30))] for _ in range(count)]


class Reference:
    """What Hugging Face makes of the lines; computed once for all forms of one tokenizer."""

    def __init__(self, path, lines):
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(path)
        self.ids = {}
        for special in (True, False):
            tokenizer.encode_special_tokens = not special
            self.ids[special] = [e.ids for e in
                                 tokenizer.encode_batch(lines, add_special_tokens=False)]
        self.lists = self.ids[True] + random_ids(3000, tokenizer.get_vocab_size())
        self.texts = {special: tokenizer.decode_batch(self.lists, skip_special_tokens=not special)
                      for special in (True, False)}


def compare(name, program, reference, lines, is_main_form):
    differences = 0
    for special in (True, False):
        ours = program.run("tokenize", lines, special)
        differences += report(name, "tokenize" + " --special" * special, ours,
                              reference.ids[special], lines)
        if not is_main_form:  # the vocabulary is the same
            return differences
        ours = program.run("detokenize", reference.lists, special)
        differences += report(name, "detokenize" + " --special" * special, ours,
                              reference.texts[special], reference.lists)
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--gguf")
    parser.add_argument("--only", help="qwen3, qwen3_5 or smollm2")
    arguments = parser.parse_args()
    work = os.path.abspath(arguments.work)
    os.makedirs(work, exist_ok=True)
    reads_gguf = os.path.basename(arguments.binary) != "tokenizer_tool"

    make_qwen_tokenizers.make_all(work)
    for name in make_qwen_tokenizers.KINDS:
        copy_without_json(f"{work}/{name}", f"{work}/{name}-merges")
    gguf = arguments.gguf or subprocess.run([TOP + "/tools/demo_model"], stdout=subprocess.PIPE,
                                            check=True, text=True).stdout.strip()
    smollm2_from_gguf(gguf, f"{work}/smollm2")

    lines = corpus.lines()
    print(f"{len(lines)} lines, {sum(len(line.encode()) for line in lines)} bytes", flush=True)
    forms = {name: [(name, f"{work}/{name}"), (name + "-merges", f"{work}/{name}-merges")]
             for name in make_qwen_tokenizers.KINDS}
    forms["smollm2"] = [("smollm2", f"{work}/smollm2")] + [("smollm2-gguf", gguf)] * reads_gguf
    differences = 0
    for name, sources in forms.items():
        if arguments.only not in (None, name):
            continue
        reference = Reference(f"{work}/{name}/tokenizer.json", lines)
        for form, model in sources:
            differences += compare(form, Program(arguments.binary, model, work), reference, lines,
                                   is_main_form=form == name)
    print(f"{differences} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
