#!/usr/bin/env python3
"""Measures the tokenizers' speed beside Hugging Face's on one core, in process, on the same texts.

usage: speed.py --bench PATH --work DIR [--seconds S] [--output FILE]
PATH: tokenizer_bench of a release build (build/release/src/text). DIR: as for compare.py.
Texts: the Debian handbook in English, French, Arabic and Chinese (the package is downloaded with
apt-get and unpacked below DIR, not installed), Python's standard library as code. Each is cut into
pieces of about 4 kB. Hugging Face's fastest call is used (encode_batch_fast), on one core as ours.
Both are measured in processor time.
"""
import argparse
import glob
import html
import json
import os
import re
import subprocess
import sysconfig
import time

import make_qwen_tokenizers

PIECE = 4096
LANGUAGES = {"en": "en-US", "fr": "fr-FR", "ar": "ar-MA", "zh": "zh-CN"}


def handbook(work):
    """The folder with the handbook's HTML."""
    folder = os.path.join(work, "handbook")
    if not os.path.isdir(folder):
        subprocess.run(["apt-get", "download", "-qq", "debian-handbook"], cwd=work, check=True)
        package = glob.glob(os.path.join(work, "debian-handbook_*.deb"))[0]
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder


def text_of(folder, language):
    pages = sorted(glob.glob(f"{folder}/usr/share/doc/debian-handbook/html/{language}/*.html"))
    text = ""
    for page in pages:
        with open(page, encoding="utf-8") as file:
            body = re.sub(r"(?s)<(script|style).*?</\1>", "", file.read())
        text += html.unescape(re.sub(r"<[^>]*>", "", body))
    return text


def code():
    paths = sorted(glob.glob(sysconfig.get_paths()["stdlib"] + "/*.py"))
    text = ""
    for path in paths:
        with open(path, encoding="utf-8", errors="ignore") as file:
            text += file.read()
    return text[:4_000_000]


def pieces(text):
    return [text[at:at + PIECE] for at in range(0, len(text), PIECE)]


def theirs(path, texts, seconds):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(path)
    size, best, start = sum(len(t.encode()) for t in texts), 1e9, time.process_time()
    while time.process_time() - start < seconds or best == 1e9:
        begin = time.process_time()
        tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        best = min(best, time.process_time() - begin)
    return size / best / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--output")
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    work = os.path.abspath(arguments.work)
    os.makedirs(work, exist_ok=True)
    make_qwen_tokenizers.make_all(work)
    folder = handbook(work)
    corpora = {name: text_of(folder, language) for name, language in LANGUAGES.items()}
    corpora["code"] = code()
    rows = []
    for tokenizer in (*make_qwen_tokenizers.KINDS, "smollm2"):
        if not os.path.isdir(f"{work}/{tokenizer}"):
            continue  # smollm2 is made by compare.py
        for name, text in corpora.items():
            texts = pieces(text)
            path = os.path.join(work, "speed.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(texts, file, ensure_ascii=False)
            done = subprocess.run([arguments.bench, f"{work}/{tokenizer}", path,
                                   str(arguments.seconds)], stdout=subprocess.PIPE, check=True)
            row = {"tokenizer": tokenizer, "text": name, **json.loads(done.stdout)}
            row["theirs_mb_per_s"] = theirs(f"{work}/{tokenizer}/tokenizer.json", texts,
                                            arguments.seconds)
            row["ratio"] = row["encode_mb_per_s"] / row["theirs_mb_per_s"]
            rows.append(row)
            print("{tokenizer:8} {text:5} {bytes:9} bytes, load {load_ms:4.0f} ms, encode "
                  "{encode_mb_per_s:6.1f} MB/s, theirs {theirs_mb_per_s:5.1f}, {ratio:4.1f} x, "
                  "decode {decode_mb_per_s:6.0f}".format(**row), flush=True)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
