"""Tiny checkpoints from known weights: GGUF in any type, and folders of safetensors in F32, FP8,
GPTQ and AWQ form. The layouts are written from their descriptions, not from the program."""

import json
import os
import struct

import gguf
import numpy as np

LAYERS, HIDDEN, VOCAB, HEADS, KV_HEADS, HEAD_DIM = 2, 256, 320, 4, 2, 64
EXPERTS = 4
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def config(experts=False, width=512):
    common = {"vocab_size": VOCAB, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
              "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
              "tie_word_embeddings": False, "hidden_act": "silu"}
    if experts:
        return {"model_type": "qwen3_moe", "num_experts": EXPERTS, "num_experts_per_tok": EXPERTS,
                "moe_intermediate_size": width, "norm_topk_prob": True, **common}
    return {"model_type": "qwen3", "intermediate_size": width, **common}


def matrices(experts=False, width=512):
    """Names and shapes [out, in] of the decoder's matrices."""
    shapes = {}
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        shapes[layer + "self_attn.q_proj"] = (HEADS * HEAD_DIM, HIDDEN)
        shapes[layer + "self_attn.k_proj"] = (KV_HEADS * HEAD_DIM, HIDDEN)
        shapes[layer + "self_attn.v_proj"] = (KV_HEADS * HEAD_DIM, HIDDEN)
        shapes[layer + "self_attn.o_proj"] = (HIDDEN, HEADS * HEAD_DIM)
        for block in [f"mlp.experts.{e}." for e in range(EXPERTS)] if experts else ["mlp."]:
            shapes[layer + block + "gate_proj"] = (width, HIDDEN)
            shapes[layer + block + "up_proj"] = (width, HIDDEN)
            shapes[layer + block + "down_proj"] = (HIDDEN, width)
    return shapes


def others(rng, experts=False):
    """What is never quantised, as F32: norms, embedding, head, router."""
    tensors = {"model.norm.weight": norm(rng, HIDDEN),
               "model.embed_tokens.weight": normal(rng, VOCAB, HIDDEN),
               "lm_head.weight": normal(rng, VOCAB, HIDDEN)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        for name, width in [("input_layernorm", HIDDEN), ("post_attention_layernorm", HIDDEN),
                            ("self_attn.q_norm", HEAD_DIM), ("self_attn.k_norm", HEAD_DIM)]:
            tensors[f"{layer}{name}.weight"] = norm(rng, width)
        if experts:
            tensors[layer + "mlp.gate.weight"] = normal(rng, EXPERTS, HIDDEN)
    return tensors


def norm(rng, width):
    return (1 + 0.1 * rng.standard_normal(width)).astype(np.float32)


def normal(rng, out, width):
    return (rng.standard_normal((out, width)) / np.sqrt(width)).astype(np.float32)


# Folders of safetensors. A tensor is (dtype, array); BF16 arrays are the upper halves as uint16.

SIZES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "F8_E4M3": "u1"}


def write_folder(folder, settings, tensors):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(settings, file)
    header, data, at = {}, [], 0
    for name, value in tensors.items():
        dtype, array = value if isinstance(value, tuple) else ("F32", value)
        stored = np.ascontiguousarray(array).astype(SIZES[dtype], casting="same_kind").tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [at, at + len(stored)]}
        data.append(stored)
        at += len(stored)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))
    return folder


def to_bf16(values):
    """Truncated to bfloat16: the halves, and the floats that they stand for."""
    halves = (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return halves, (halves.astype(np.uint32) << 16).view(np.float32)


def e4m3_values():
    """The 256 values of float8_e4m3fn."""
    codes = np.arange(256)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    values = np.where(exponent == 0, mantissa * 2.0**-9,
                      (1 + mantissa / 8) * 2.0**(exponent - 7.0))
    values[codes & 127 == 127] = np.nan
    return np.where(codes & 128, -values, values).astype(np.float32)


def fp8(rng, name, shape, block=128, scale_dtype="BF16"):
    """-> (tensors of the matrix, its weights)"""
    weights, table = normal(rng, *shape), e4m3_values()
    finite = np.flatnonzero(np.isfinite(table))
    finite = finite[np.argsort(table[finite], kind="stable")]
    rows, columns = -(-shape[0] // block), -(-shape[1] // block)
    scales = np.zeros((rows, columns), np.float32)
    codes, decoded = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    halves = np.zeros((rows, columns), np.uint16)
    for r in range(rows):
        for c in range(columns):
            part = np.s_[r * block:(r + 1) * block, c * block:(c + 1) * block]
            scale = np.float32(np.abs(weights[part]).max() / 400 * rng.uniform(1, 1.1))
            if scale_dtype == "BF16":
                half, value = to_bf16([scale])
                halves[r, c], scale = half[0], value[0]
            scales[r, c] = scale
            at = np.searchsorted(table[finite], weights[part] / scale).clip(0, len(finite) - 1)
            codes[part] = finite[at]
            decoded[part] = table[codes[part]] * scale
    stored = ("BF16", halves) if scale_dtype == "BF16" else ("F32", scales)
    return {name + ".weight": ("F8_E4M3", codes), name + ".weight_scale_inv": stored}, decoded


def grouped(rng, shape, bits, group, symmetric, index=None):
    """Random codes [in, out], zero points and fp16 scales [groups, out], group of each input."""
    out, width = shape
    groups, top = -(-width // group), 1 << bits
    codes = rng.integers(0, top, (width, out))
    zeros = np.full((groups, out), top // 2)
    if not symmetric:
        zeros = rng.integers(top // 4, 3 * top // 4, (groups, out))
    spread = np.sqrt(1 / width) / (top / np.sqrt(12))
    scales = (spread * rng.uniform(0.5, 1.5, (groups, out))).astype(np.float16)
    index = np.arange(width) // group if index is None else index
    weights = scales.astype(np.float32)[index] * (codes - zeros[index]).astype(np.float32)
    return codes, zeros, scales, index, np.ascontiguousarray(weights.T)


def pack(values, bits):
    """The last axis packed into int32, low bits first."""
    per_word = 32 // bits
    values = values.reshape(*values.shape[:-1], -1, per_word).astype(np.uint64)
    words = (values << (bits * np.arange(per_word, dtype=np.uint64))).sum(axis=-1)
    return words.astype(np.uint32).view(np.int32)


def gptq(rng, name, shape, bits=4, group=128, symmetric=True, version=1, act_order=False):
    """-> (tensors, weights)"""
    index = None
    if act_order:
        index = rng.permutation(np.arange(shape[1]) // group)
    codes, zeros, scales, index, weights = grouped(rng, shape, bits, group, symmetric, index)
    stored_zeros = zeros - 1 if version == 1 else zeros
    return {name + ".qweight": ("I32", np.ascontiguousarray(pack(codes.T, bits).T)),
            name + ".qzeros": ("I32", pack(stored_zeros, bits)),
            name + ".scales": ("F16", scales),
            name + ".g_idx": ("I32", index.astype(np.int32))}, weights


def awq(rng, name, shape, group=128):
    """-> (tensors, weights)"""
    codes, zeros, scales, _, weights = grouped(rng, shape, 4, group, False)

    def shuffled(values):
        return pack(values.reshape(values.shape[0], -1, 8)[:, :, AWQ_ORDER]
                    .reshape(values.shape), 4)

    return {name + ".qweight": ("I32", shuffled(codes)), name + ".qzeros": ("I32", shuffled(zeros)),
            name + ".scales": ("F16", scales)}, weights


def quantized_model(rng, make, settings, experts=False, width=512):
    """A model with every matrix stored by `make`. -> (config, tensors, the same in F32)"""
    plain = others(rng, experts)
    tensors, decoded = dict(plain), dict(plain)
    for name, shape in matrices(experts, width).items():
        parts, weights = make(rng, name, shape)
        tensors.update(parts)
        decoded[name + ".weight"] = weights
    return {**config(experts, width), "quantization_config": settings}, tensors, decoded


# GGUF.

GGUF_NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
              "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
              "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
              "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
              "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
# Where the fp16 scale of a block lies, and a second one with what it is of the first.
SCALES = {"Q5_1": (0, 2, -15.5), "Q2_K": (80, 82, 1.5), "Q3_K": (108,), "IQ1_S": (0,),
          "IQ2_XXS": (0,), "IQ2_XS": (0,), "IQ2_S": (0,), "IQ3_XXS": (0,), "IQ3_S": (0,),
          "TQ1_0": (52,), "TQ2_0": (64,)}


def gguf_name(name):
    top = {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight",
           "model.norm.weight": "output_norm.weight"}
    if name in top:
        return top[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[rest.removesuffix('.weight')]}.weight"


def set_scales(rng, blocks, type_name, scale):
    """Gives random blocks scales around `scale`."""
    count = len(blocks)
    values = scale * rng.uniform(0.5, 1.5, count)
    if type_name == "MXFP4":
        blocks[:, 0] = 128 + np.round(np.log2(values)).astype(int)
    elif type_name == "NVFP4":
        code = 8 * (7 + np.floor(np.log2(scale)).astype(int))
        blocks[:, :4] = rng.integers(code, code + 12, (count, 4))
    elif type_name == "IQ1_M":
        bits = values.astype(np.float16).view(np.uint16)
        words = blocks[:, 48:].view("<u2")
        for i in range(4):
            words[:, i] = (words[:, i] & 0x0FFF) | ((bits >> (4 * i) & 15) << 12)
    else:
        place, *second = SCALES[type_name]
        blocks[:, place:place + 2] = values.astype("<f2").view(np.uint8).reshape(count, 2)
        if second:
            other = (values * second[1]).astype("<f2").view(np.uint8).reshape(count, 2)
            blocks[:, second[0]:second[0] + 2] = other


def random_stored(rng, type_name, shape):
    """-> (stored rows as bytes, the weights that gguf decodes them to), of ordinary size"""
    kind = gguf.GGMLQuantizationType[type_name]
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (shape[0] * shape[1] // values, size), dtype=np.uint8)
    set_scales(rng, blocks, type_name, 0.25)
    unit = gguf.dequantize(blocks, kind).std() / 0.25
    set_scales(rng, blocks, type_name, 1 / np.sqrt(shape[1]) / unit)
    stored = blocks.reshape(shape[0], -1)
    return stored, gguf.dequantize(stored, kind).astype(np.float32)


def write_gguf(path, tensors):
    """`tensors`: name -> F32 array, or (type, stored bytes)."""
    settings = config()
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_context_length(settings["max_position_embeddings"])
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(settings["intermediate_size"])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(settings["rms_norm_eps"])
    writer.add_rope_freq_base(settings["rope_theta"])
    for name, value in tensors.items():
        if isinstance(value, tuple):
            writer.add_tensor(gguf_name(name), value[1],
                              raw_dtype=gguf.GGMLQuantizationType[value[0]])
        else:
            writer.add_tensor(gguf_name(name), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_models(rng, type_name, folder):
    """Two files with the same weights. -> (path in the type, path in F32, number of matrices)"""
    plain = others(rng)
    stored, decoded = dict(plain), dict(plain)
    shapes = {f"{name}.weight": shape for name, shape in matrices().items()}
    shapes["model.embed_tokens.weight"] = shapes["lm_head.weight"] = (VOCAB, HIDDEN)
    for name, shape in shapes.items():
        blocks, weights = random_stored(rng, type_name, shape)
        stored[name], decoded[name] = (type_name, blocks), weights
    return (write_gguf(os.path.join(folder, f"{type_name}.gguf"), stored),
            write_gguf(os.path.join(folder, f"{type_name}_f32.gguf"), decoded), len(shapes))
