"""Rewrites a golden checkpoint folder as an F32 GGUF, with the names, layouts and metadata that
llama.cpp's converter gives such a model.

usage: make_gguf.py CASE_FOLDER OUT.gguf [--draft-layer] [--fused-experts]
  --draft-layer    keep the multi-token prediction block, as blk.N with nextn tensors
  --fused-experts  ffn_gate_up_exps instead of ffn_gate_exps and ffn_up_exps
"""

import argparse
import glob
import json
import struct

import gguf
import numpy as np

ARCHITECTURES = {
    "qwen3_5": "qwen35", "qwen3_5_moe": "qwen35moe", "qwen3_next": "qwen3next", "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe", "qwen2": "qwen2", "llama": "llama",
}
HYBRID = ("qwen35", "qwen35moe", "qwen3next")
PRE_TOKENIZERS = {"qwen35": "qwen35", "qwen35moe": "qwen35", "llama": "smollm"}

# What stands behind model.layers.N. -> what stands behind blk.N.
LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "linear_attn.in_proj_qkv.weight": "attn_qkv.weight",
    "linear_attn.in_proj_z.weight": "attn_gate.weight",
    "linear_attn.in_proj_b.weight": "ssm_beta.weight",
    "linear_attn.in_proj_a.weight": "ssm_alpha.weight",
    "linear_attn.in_proj_ba.weight": "ssm_ba.weight",
    "linear_attn.conv1d.weight": "ssm_conv1d.weight",
    "linear_attn.A_log": "ssm_a",
    "linear_attn.dt_bias": "ssm_dt.bias",
    "linear_attn.norm.weight": "ssm_norm.weight",
    "linear_attn.out_proj.weight": "ssm_out.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "mlp.gate.weight": "ffn_gate_inp.weight",
    "mlp.shared_expert.gate_proj.weight": "ffn_gate_shexp.weight",
    "mlp.shared_expert.up_proj.weight": "ffn_up_shexp.weight",
    "mlp.shared_expert.down_proj.weight": "ffn_down_shexp.weight",
    "mlp.shared_expert_gate.weight": "ffn_gate_inp_shexp.weight",
}
DRAFT_NAMES = {
    "mtp.fc.weight": "nextn.eh_proj.weight",
    "mtp.pre_fc_norm_embedding.weight": "nextn.enorm.weight",
    "mtp.pre_fc_norm_hidden.weight": "nextn.hnorm.weight",
    "mtp.norm.weight": "nextn.shared_head_norm.weight",
}


def read_safetensors(path):
    """All tensors of a file by name; F32, F16 and BF16 become float32, integers stay."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        stored = data[8 + length + begin:8 + length + end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(stored, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(stored, {"F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4",
                                            "U8": "u1"}[entry["dtype"]])
            values = values.astype(np.float32) if entry["dtype"][0] == "F" else values
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def read_checkpoint(folder):
    """config.json (its text part), and the tensors of all shards."""
    with open(f"{folder}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    tensors = {}
    for path in sorted(glob.glob(f"{folder}/*.safetensors")):
        tensors.update(read_safetensors(path))
    return config.get("text_config", config), tensors


def architecture_of(config):
    """The GGUF architecture, or None where the family has no text-only GGUF here."""
    return ARCHITECTURES.get(config["model_type"].removesuffix("_text"))


def plain_names(tensors):
    """Text tensors under the names of a text-only checkpoint; the vision tower is left out."""
    result = {}
    for name, values in tensors.items():
        if ".visual." in name or name.startswith("visual."):
            continue
        name = name.replace("model.language_model.", "model.")
        if not name.startswith(("model.", "lm_head.", "mtp.")):
            name = "model." + name
        result[name] = values
    return result


def tiled(values, axis, config):
    """V heads along `axis` from grouped by key head to key heads running fastest."""
    keys, heads = config["linear_num_key_heads"], config["linear_num_value_heads"]
    width = values.shape[axis] // heads
    order = np.arange(heads * width).reshape(keys, heads // keys, width).swapaxes(0, 1).ravel()
    return np.take(values, order, axis)


def tile_value_heads(name, values, config):
    """Where a tensor of a Gated DeltaNet runs over V heads, their new order."""
    key_rows = 2 * config["linear_num_key_heads"] * config["linear_key_head_dim"]
    part = name.split("linear_attn.")[1]
    if part.startswith(("in_proj_qkv", "conv1d")):
        return np.concatenate([values[:key_rows], tiled(values[key_rows:], 0, config)])
    if part.startswith(("in_proj_z", "in_proj_a", "in_proj_b", "A_log", "dt_bias")):
        return tiled(values, 0, config)
    if part.startswith("out_proj"):
        return tiled(values, 1, config)
    return values


def side_by_side(values, heads):
    """Rows of a head from halves (rotate-half) to pairs that lie next to each other."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, -1)
    return halves.swapaxes(1, 2).reshape(values.shape)


def split_qkvz(values, config):
    """Qwen3-Next's fused projection, interleaved per key head -> (q, k, v rows; z rows)."""
    keys, dk = config["linear_num_key_heads"], config["linear_key_head_dim"]
    group = config["linear_num_value_heads"] // keys * config["linear_value_head_dim"]
    q, k, v, z = np.split(values.reshape(keys, 2 * dk + 2 * group, -1),
                          [dk, 2 * dk, 2 * dk + group], axis=1)
    flat = [part.reshape(-1, values.shape[1]) for part in (q, k, v, z)]
    return np.concatenate(flat[:3]), flat[3]


def transformed(name, values, config, architecture):
    """The stored values as the GGUF has them."""
    if architecture == "llama" and name.endswith("self_attn.q_proj.weight"):
        return side_by_side(values, config["num_attention_heads"])
    if architecture == "llama" and name.endswith("self_attn.k_proj.weight"):
        return side_by_side(values, config["num_key_value_heads"])
    if architecture not in HYBRID:
        return values
    if name.endswith("norm.weight") and not name.endswith("linear_attn.norm.weight"):
        return values + np.float32(1)
    if name.endswith("mtp.pre_fc_norm_embedding.weight") or name.endswith("_norm_hidden.weight"):
        return values + np.float32(1)
    if name.endswith("conv1d.weight"):
        values = values[:, 0]
    elif name.endswith("A_log"):
        values = -np.exp(values)
    elif name.endswith("shared_expert_gate.weight"):
        values = values[0]
    reordered = (architecture != "qwen3next" and "linear_attn." in name and
                 config["linear_num_key_heads"] != config["linear_num_value_heads"])
    return tile_value_heads(name, values, config) if reordered else values


def stacked_experts(tensors, layer, config, fused):
    """One layer's experts as 3-D tensors by GGUF name; they are taken out of `tensors`."""
    prefix = f"model.layers.{layer}.mlp.experts."
    if prefix + "gate_up_proj" in tensors:
        gate_up, down = tensors.pop(prefix + "gate_up_proj"), tensors.pop(prefix + "down_proj")
        gate, up = np.split(gate_up, 2, axis=1)
    elif prefix + "0.gate_proj.weight" in tensors:
        gate, up, down = (np.stack([tensors.pop(f"{prefix}{e}.{part}_proj.weight")
                                    for e in range(config["num_experts"])])
                          for part in ("gate", "up", "down"))
    else:
        return {}
    if fused:
        parts = {"ffn_gate_up_exps": np.concatenate([gate, up], axis=1), "ffn_down_exps": down}
    else:
        parts = {"ffn_gate_exps": gate, "ffn_up_exps": up, "ffn_down_exps": down}
    return {f"blk.{layer}.{part}.weight": values for part, values in parts.items()}


def gguf_tensors(config, stored, architecture, draft_layer, fused_experts):
    """All tensors of the GGUF by name."""
    tensors, num_layers = plain_names(stored), config["num_hidden_layers"]
    out = {}
    for layer in range(num_layers):
        out.update(stacked_experts(tensors, layer, config, fused_experts))
    fixed = {"model.embed_tokens.weight": "token_embd.weight",
             "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    for name, values in tensors.items():
        if name.startswith("mtp.") and not draft_layer:
            continue
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        if name.endswith("in_proj_qkvz.weight"):
            blk = f"blk.{name.split('.')[2]}."
            out[blk + "attn_qkv.weight"], out[blk + "attn_gate.weight"] = split_qkvz(values, config)
            continue
        values = transformed(name, values, config, architecture)
        if name in fixed:
            out[fixed[name]] = values
        elif name in DRAFT_NAMES:
            out[f"blk.{num_layers}.{DRAFT_NAMES[name]}"] = values
        else:
            first, _, rest = name.split("layers.", 1)[1].partition(".")
            layer = int(first) + (num_layers if name.startswith("mtp.") else 0)
            new = LAYER_NAMES[rest]
            out[f"blk.{layer}.{new}"] = values
    if architecture in HYBRID:
        return {name.replace("ffn_norm", "post_attention_norm"): v for name, v in out.items()}
    return out


def write_attention_keys(writer, config, architecture):
    """Shapes and rotary positions."""
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    if "intermediate_size" in config:
        writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    head_dim = config.get("head_dim")
    if head_dim:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    writer.add_rope_freq_base(rope.get("rope_theta", config.get("rope_theta")))
    if architecture in HYBRID:
        partial = rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 0.25))
        writer.add_rope_dimension_count(int(head_dim * partial))
    elif architecture == "llama":
        writer.add_rope_dimension_count(
            head_dim or config["hidden_size"] // config["num_attention_heads"])
    if "mrope_section" in rope:
        writer.add_rope_dimension_sections([*rope["mrope_section"], 0])
    if rope.get("rope_type") == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])


def write_family_keys(writer, config, architecture, num_drafts):
    """Experts and Gated DeltaNet."""
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        if config.get("shared_expert_intermediate_size"):
            writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    if architecture in HYBRID:
        heads = config["linear_num_value_heads"]
        writer.add_ssm_conv_kernel(config["linear_conv_kernel_dim"])
        writer.add_ssm_state_size(config["linear_key_head_dim"])
        writer.add_ssm_group_count(config["linear_num_key_heads"])
        writer.add_ssm_time_step_rank(heads)
        writer.add_ssm_inner_size(heads * config["linear_value_head_dim"])
        writer.add_uint32(f"{architecture}.full_attention_interval",
                          config.get("full_attention_interval", 4))
        if "layer_types" in config:
            recurrent = [kind == "linear_attention" for kind in config["layer_types"]]
            writer.add_array(f"{architecture}.attention.recurrent_layers",
                             recurrent + [False] * num_drafts)


def write_vocabulary(writer, config, architecture):
    """A vocabulary of nothing: 256 bytes, one merge, and control tokens up to vocab_size."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    tokens = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    tokens.append("th")
    types = [gguf.TokenType.NORMAL] * len(tokens)
    for i in range(len(tokens), config["vocab_size"]):
        tokens.append(f"<|control_{i}|>")
        types.append(gguf.TokenType.CONTROL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZERS.get(architecture, "qwen2"))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_bos_token_id(config.get("bos_token_id", config["eos_token_id"]))
    writer.add_add_bos_token(False)


def convert(folder, out, draft_layer=False, fused_experts=False, pooled=False):
    """Writes the GGUF of the checkpoint in `folder`. pooled: an embedding model (last token)."""
    config, stored = read_checkpoint(folder)
    architecture = architecture_of(config)
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_type("model")
    writer.add_name("golden")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config["num_hidden_layers"] + (1 if draft_layer else 0))
    if draft_layer:
        writer.add_uint32(f"{architecture}.nextn_predict_layers", 1)
    if architecture == "llama":
        writer.add_vocab_size(config["vocab_size"])
    write_attention_keys(writer, config, architecture)
    write_family_keys(writer, config, architecture, 1 if draft_layer else 0)
    if pooled:
        writer.add_pooling_type(gguf.PoolingType.LAST)
    write_vocabulary(writer, config, architecture)
    tensors = gguf_tensors(config, stored, architecture, draft_layer, fused_experts)
    for name, values in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(values, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="folder with config.json and safetensors")
    parser.add_argument("out")
    parser.add_argument("--draft-layer", action="store_true")
    parser.add_argument("--fused-experts", action="store_true")
    arguments = parser.parse_args()
    convert(arguments.folder, arguments.out, arguments.draft_layer, arguments.fused_experts)


if __name__ == "__main__":
    main()
