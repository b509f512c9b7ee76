"""Writes a GGUF of the architecture qwen3 with random weights, of any depth and width, without a
tokenizer: for tests of what depends on names, shapes and sizes alone.
"""

import gguf
import numpy as np


def write(path, layers, width, rows, dtype=np.float16):
    """`layers` layers whose matrices are all [width, width]; an embedding of `rows` rows."""
    writer, rng = gguf.GGUFWriter(path, "qwen3"), np.random.default_rng(1)
    writer.add_block_count(layers)
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(width // 128)
    writer.add_head_count_kv(width // 128)
    writer.add_key_length(128)
    writer.add_value_length(128)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(rows)

    def add(name, *shape):
        values = rng.standard_normal(shape, np.float32) * np.float32(0.02)
        writer.add_tensor(name + ".weight", values.astype(dtype) if len(shape) > 1 else values)
    add("token_embd", rows, width)
    add("output_norm", width)
    for layer in range(layers):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            add(block + name, width, width)
        for name in ("attn_norm", "ffn_norm"):
            add(block + name, width)
        for name in ("attn_q_norm", "attn_k_norm"):
            add(block + name, 128)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
