#!/usr/bin/env python3
"""Writes small/: four tokenizers of some hundred tokens, and what Hugging Face makes of lines.

usage: make_small.py          (needs the package tokenizers; the unit tests of src/text read small/)

One tokenizer a pre-tokenizer. Qwen's have all 256 bytes, the others only those of their texts, as
SmolLM2's: what they lack is dropped.
"""
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer

import corpus
import make_qwen_tokenizers as qwen

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "small")
VOCABULARY = 420
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VISIBLE = ["<think>", "</think>", "<tool_call>", "<tool_call>x"]  # one begins with another
NUM_LINES, MAX_LENGTH = 120, 40


def split(kind):
    regex = "|".join((qwen.CONTRACTIONS, qwen.KINDS[kind]["word"], qwen.SPACES))
    return [pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def kinds():
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {"gpt2": [whole], "smollm": [digits, whole], "qwen2": split("qwen3"),
            "qwen35": split("qwen3_5")}


def train(name, parts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = parts[0] if len(parts) == 1 else pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.ByteLevel()
    is_qwen = name.startswith("qwen")
    if is_qwen:
        tokenizer.normalizer = normalizers.NFC()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet()) if is_qwen else []
    trainer = BpeTrainer(vocab_size=VOCABULARY, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([text for _, text in corpus.phrases()], trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in VISIBLE])
    return tokenizer


def chosen_lines():
    rng = random.Random(3)
    short = [text for text in corpus.lines() if 0 < len(text) <= MAX_LENGTH]
    lines = [text for _, text in corpus.phrases()][::3] + rng.sample(short, NUM_LINES)
    return [line.replace("<repo_name>", "<tool_call>x") for line in lines]


def main():
    os.makedirs(OUT, exist_ok=True)
    lines = chosen_lines()
    cases = {"lines": lines}
    for name, parts in kinds().items():
        tokenizer = train(name, parts)
        with open(f"{OUT}/{name}.json", "w", encoding="utf-8") as file:
            json.dump(json.loads(tokenizer.to_str()), file, ensure_ascii=False)
            file.write("\n")
        ids, text_ids = [], []
        for line in lines:
            tokenizer.encode_special_tokens = False
            ids.append(tokenizer.encode(line, add_special_tokens=False).ids)
            tokenizer.encode_special_tokens = True
            text_ids.append(tokenizer.encode(line, add_special_tokens=False).ids)
        cases[name] = {"special_parsed": ids, "special_as_text": text_ids,
                       "decoded": tokenizer.decode_batch(ids, skip_special_tokens=False),
                       "decoded_without_special": tokenizer.decode_batch(ids)}
    with open(f"{OUT}/cases.json", "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
