"""Writes reference.json: greedy continuations of five prompts by transformers' LlamaForCausalLM in
fp32, on the dequantised weights of a Llama GGUF, with the margin of the best token at every step.

usage: make_reference.py MODEL.gguf OUT.json            (torch, transformers and gguf are needed)
"""

import hashlib
import json
import sys

import gguf
import numpy as np
import torch
import transformers

NUM_TOKENS = 64
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
PROMPTS = {
    "en": "Explain in a few sentences why the sky is blue.",
    "fr": "\u00c9cris une courte lettre pour remercier ta voisine de t'avoir aid\u00e9 hier.",
    "ar": "\u0645\u0627 \u0647\u064a \u0639\u0627\u0635\u0645\u0629 "
          "\u0627\u0644\u0645\u063a\u0631\u0628\u061f",
    "code": "Write a Python function that returns the n-th Fibonacci number.\n\n```python\n",
    "zh": "\u8bf7\u7528\u4e00\u53e5\u8bdd\u4ecb\u7ecd\u5317\u4eac\u3002",
}


def field(reader, key):
    return reader.get_field(key).contents()


def halves(rows, heads):
    """Rows of each head from pairs side by side (GGUF) to two halves (rotate-half)."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, -1)
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def hf_weights(reader, config):
    """The GGUF's tensors, dequantised, under transformers' names."""
    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
             "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
             "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    weights = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        values = values.reshape([int(n) for n in reversed(tensor.shape)])
        if tensor.name == "token_embd.weight":
            name = "model.embed_tokens.weight"
        elif tensor.name == "output_norm.weight":
            name = "model.norm.weight"
        elif tensor.name == "output.weight":
            name = "lm_head.weight"
        else:
            _, layer, part, _ = tensor.name.split(".")
            if part in ("attn_q", "attn_k"):
                values = halves(values, config.num_attention_heads if part == "attn_q"
                                else config.num_key_value_heads)
            name = f"model.layers.{layer}.{names[part]}.weight"
        weights[name] = torch.from_numpy(np.ascontiguousarray(values))
    return weights


def load(path):
    """-> (model, tokenizer)"""
    reader = gguf.GGUFReader(path)
    config = transformers.LlamaConfig(
        vocab_size=len(field(reader, "tokenizer.ggml.tokens")),
        hidden_size=field(reader, "llama.embedding_length"),
        intermediate_size=field(reader, "llama.feed_forward_length"),
        num_hidden_layers=field(reader, "llama.block_count"),
        num_attention_heads=field(reader, "llama.attention.head_count"),
        num_key_value_heads=field(reader, "llama.attention.head_count_kv"),
        max_position_embeddings=field(reader, "llama.context_length"),
        rms_norm_eps=field(reader, "llama.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default",
                         "rope_theta": field(reader, "llama.rope.freq_base")},
        tie_word_embeddings=not any(t.name == "output.weight" for t in reader.tensors),
        attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(hf_weights(reader, config), strict=False)
    allowed = {"lm_head.weight"} if config.tie_word_embeddings else set()
    assert set(missing) <= allowed and not unexpected, (missing, unexpected)
    model.tie_weights()
    return model.float().eval(), make_tokenizer(reader)


def make_tokenizer(reader):
    """Byte-level BPE as the GGUF's `smollm` pre-tokenizer: digits alone, then GPT-2's pattern."""
    import tokenizers
    tokens = field(reader, "tokenizer.ggml.tokens")
    kinds = field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in field(reader, "tokenizer.ggml.merges")]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(
        vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([t for t, kind in zip(tokens, kinds)
                                  if kind == gguf.TokenType.CONTROL])
    return tokenizer


def continuation(model, ids):
    """-> (greedy ids, margins)"""
    tokens, margins, cache, given = [], [], None, ids
    with torch.no_grad():
        for _ in range(NUM_TOKENS):
            result = model(torch.tensor([given]), past_key_values=cache, use_cache=True)
            cache = result.past_key_values
            best = torch.topk(result.logits[0, -1], 2)
            margins.append(round(float(best.values[0] - best.values[1]), 5))
            tokens.append(int(best.indices[0]))
            given = tokens[-1:]
    return tokens, margins


def main():
    path, out = sys.argv[1:]
    torch.set_num_threads(1)  # threads that wait for each other are slow beside other work
    model, tokenizer = load(path)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    prompts = []
    for name, text in PROMPTS.items():
        chat = (f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n"
                "<|im_start|>assistant\n")
        ids = tokenizer.encode(chat).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == chat
        tokens, margins = continuation(model, ids)
        prompts.append({"name": name, "text": text, "ids": ids, "new_tokens": tokens,
                        "margins": margins,
                        "new_text": tokenizer.decode(tokens, skip_special_tokens=False)})
        print(f"* {name}: {len(ids)} tokens of prompt, smallest margin {min(margins):.4f}, "
              f"{sum(m < 0.02 for m in margins)} of {NUM_TOKENS} below 0.02", flush=True)
    result = {"model": {"file": path.rsplit("/", 1)[-1], "sha256": digest},
              "made_with": {"torch": torch.__version__, "transformers": transformers.__version__,
                            "gguf": "0.19.0", "arithmetic": "fp32, eager attention, CPU"},
              "prompts": prompts}
    with open(out, "w", encoding="ascii") as file:
        json.dump(result, file)
        file.write("\n")
    print(f"* written: {out}")


if __name__ == "__main__":
    main()
