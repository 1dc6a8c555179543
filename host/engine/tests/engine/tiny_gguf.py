"""Writes GGUF files as llama.cpp's converter does.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The blocks of the quantised types are those of
ggml's quantize_row functions.
"""

import struct

import mlx.core as mx
import numpy as np

CHAT_TEMPLATE = "{{ messages[0].content }}"
ALIGNMENT = 32
TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8}
LAYER_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.switch_mlp.gate_proj": "ffn_gate_exps",
    "mlp.switch_mlp.up_proj": "ffn_up_exps",
    "mlp.switch_mlp.down_proj": "ffn_down_exps",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def gguf_name(name):
    base, _, kind = name.rpartition(".")
    if base in NAMES:
        return f"{NAMES[base]}.{kind}"
    _, _, layer, part = base.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[part]}.{kind}"


def permuted(tensor, heads):
    """The rows of each head as llama.cpp wants them in files of Llama's architecture."""
    return tensor.reshape(heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)


def blocks_of(tensor, kind):
    """The stored bytes, and the weights that they stand for."""
    if kind == "F32":
        return tensor.tobytes(), tensor
    if kind == "F16":
        stored = tensor.astype(np.float16)
        return stored.tobytes(), stored.astype(np.float32)
    rows = tensor.reshape(-1, 32)
    widen = lambda scale: scale.astype(np.float32)
    if kind == "Q8_0":
        scale = (abs(rows).max(axis=1, keepdims=True) / 127).astype(np.float16)
        numbers = np.round(rows / widen(scale)).astype(np.int8)
        return joined(scale, numbers), (numbers * widen(scale)).reshape(tensor.shape)
    if kind == "Q4_0":
        largest = np.take_along_axis(rows, abs(rows).argmax(axis=1)[:, None], 1)
        scale = (largest / -8).astype(np.float16)
        numbers = np.clip(np.round(rows / widen(scale)) + 8, 0, 15).astype(np.uint8)
        return joined(scale, halves(numbers)), ((numbers - np.float32(8)) * widen(scale)).reshape(tensor.shape)
    minimum = rows.min(axis=1, keepdims=True).astype(np.float16)
    scale = ((rows.max(axis=1, keepdims=True) - widen(minimum)) / 15).astype(np.float16)
    numbers = np.clip(np.round((rows - widen(minimum)) / widen(scale)), 0, 15).astype(np.uint8)
    values = numbers * widen(scale) + widen(minimum)
    return joined(scale, minimum, halves(numbers)), values.reshape(tensor.shape)


def halves(numbers):
    return numbers[:, :16] | (numbers[:, 16:] << 4)


def joined(*parts):
    """The parts of each block, one after the other."""
    return np.concatenate([part.view(np.uint8) for part in parts], axis=1).tobytes()


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(item):
    """A value with its type before it."""
    if isinstance(item, bool):
        return struct.pack("<I?", 7, item)
    if isinstance(item, int):
        return struct.pack("<II", 4, item)
    if isinstance(item, float):
        return struct.pack("<If", 6, item)
    if isinstance(item, str):
        return struct.pack("<I", 8) + string(item)
    first = value(item[0])[:4]
    return struct.pack("<I", 9) + first + struct.pack("<Q", len(item)) + b"".join(value(each)[4:] for each in item)


def metadata(config):
    architecture = {"qwen3_moe": "qwen3moe"}.get(config["model_type"], config["model_type"])
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim", config["hidden_size"] // heads)
    own = {
        "block_count": config["num_hidden_layers"],
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": heads,
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": head_size,
        "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "rope.freq_base": config["rope_theta"],
        "rope.dimension_count": head_size,
    }
    if scaling := config.get("rope_scaling"):
        own["rope.scaling.type"] = scaling.get("type") or scaling["rope_type"]
        own["rope.scaling.factor"] = scaling["factor"]
        own["rope.scaling.original_context_length"] = scaling.get("original_max_position_embeddings", 1)
    if "num_experts" in config:
        own["expert_count"] = config["num_experts"]
        own["expert_used_count"] = config["num_experts_per_tok"]
        own["expert_feed_forward_length"] = config["moe_intermediate_size"]
    return {
        "general.architecture": architecture,
        **{f"{architecture}.{key}": item for key, item in own.items()},
        **tokenizer(config),
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def tokenizer(config):
    """As SentencePiece has it in files of Llama's architecture, elsewhere byte-level."""
    letters = [chr(256 + index) for index in range(config["vocab_size"] - 1)]
    tokens = [*letters, letters[0] + letters[1]]
    entries = {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * len(tokens),
        "tokenizer.ggml.eos_token_id": 0,
    }
    if config["model_type"] == "llama":
        return {**entries, "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.0] * len(tokens)}
    return {
        **entries,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.merges": [f"{tokens[0]} {tokens[1]}"],
    }


def write(path, config, weights, kind):
    """Writes the model, its matrices of this kind; returns the weights that the file holds."""
    held, infos, data = {}, [], b""
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, tensor in weights.items():
        part = name.split(".")[-2]
        stored_kind = kind if tensor.ndim > 1 and not name.endswith("mlp.gate.weight") else "F32"
        stored, values = blocks_of(np.array(tensor), stored_kind)
        held[name] = mx.array(values)
        if config["model_type"] == "llama" and part in heads:
            stored, _ = blocks_of(permuted(np.array(tensor), heads[part]), stored_kind)
        shape = tensor.shape[::-1]
        info = string(gguf_name(name)) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        infos.append(info + struct.pack("<IQ", TYPES[stored_kind], len(data)))
        data += stored + bytes(-len(stored) % ALIGNMENT)
    save(path, metadata(config), infos, data)
    return held


def save(path, entries, infos=(), data=b""):
    """Writes a file of these entries of metadata, and of tensors."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries))
    header += b"".join(string(key) + value(item) for key, item in entries.items()) + b"".join(infos)
    path.write_bytes(header + bytes(-len(header) % ALIGNMENT) + data)
