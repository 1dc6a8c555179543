"""The reference that the engine is tested against: Python's mlx_lm on the same weights.

    reference.py MODEL.gguf FOLDER INPUT.json OUTPUT.json

Writes the GGUF file's model into FOLDER in Hugging Face's form, with its own GGUF reader and its own
dequantisation, so that nothing is shared with the engine's. Then answers INPUT, which is
{"conversations": [[message, …], …], "texts": [text, …], "length": tokens}, with
{"conversations": [{"prompt": ids, "tokens": ids}, …], "texts": [ids, …]}.
"""

import json
import struct
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx_lm import load
from mlx_lm.generate import generate_step
from safetensors.numpy import save_file

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9


class Reader:
    """Reads the values of a GGUF file one after the other."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def unpack(self, form):
        (value,) = struct.unpack_from(form, self.data, self.position)
        self.position += struct.calcsize(form)
        return value

    def string(self):
        length = self.unpack("<Q")
        self.position += length
        return self.data[self.position - length : self.position].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            kind, length = self.unpack("<I"), self.unpack("<Q")
            return [self.value(kind) for _ in range(length)]
        return self.unpack(SCALARS[kind])


def read_gguf(path):
    reader = Reader(path.read_bytes())
    reader.position = 8
    tensors, entries = reader.unpack("<Q"), reader.unpack("<Q")
    metadata = {}
    for _ in range(entries):
        key = reader.string()
        metadata[key] = reader.value(reader.unpack("<I"))
    infos = []
    for _ in range(tensors):
        name = reader.string()
        shape = [reader.unpack("<Q") for _ in range(reader.unpack("<I"))]
        infos.append((name, shape[::-1], reader.unpack("<I"), reader.unpack("<Q")))
    alignment = metadata.get("general.alignment", 32)
    start = -(-reader.position // alignment) * alignment
    return metadata, {
        name: dequantise(reader.data, start + offset, shape, kind) for name, shape, kind, offset in infos
    }


def dequantise(data, start, shape, kind):
    """The tensor as float32. The formulas are those of ggml's dequantize_row functions."""
    count = int(np.prod(shape))
    if kind == 0:
        values = np.frombuffer(data, np.float32, count, start)
    elif kind == 3:  # Q4_1: a scale, a minimum, and 32 numbers of 4 bits: first the low halves
        form = np.dtype([("scale", "<f2"), ("minimum", "<f2"), ("packed", "u1", 16)])
        blocks = np.frombuffer(data, form, count // 32, start)
        numbers = np.concatenate([blocks["packed"] & 15, blocks["packed"] >> 4], axis=1).astype(np.float32)
        values = numbers * blocks["scale"].astype(np.float32)[:, None]
        values += blocks["minimum"].astype(np.float32)[:, None]
    elif kind == 8:  # Q8_0: a scale and 32 numbers of 8 bits
        blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("numbers", "i1", 32)]), count // 32, start)
        values = blocks["numbers"].astype(np.float32) * blocks["scale"].astype(np.float32)[:, None]
    else:
        raise ValueError(f"GGML type {kind}")
    return values.reshape(shape)


NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_norm": "post_attention_layernorm",
}


def hugging_face(tensors, heads):
    """Tensors under their other names, rows of queries and keys in their first order."""
    renamed = {}
    for name, tensor in tensors.items():
        *block, part, _ = name.split(".")
        prefix = f"model.layers.{block[1]}." if block else ""
        if part in heads:
            parted = tensor.reshape(heads[part], -1, 2, tensor.shape[1])
            tensor = parted.swapaxes(1, 2).reshape(tensor.shape)
        renamed[f"{prefix}{NAMES[part]}.weight"] = np.ascontiguousarray(tensor)
    return renamed


def config(metadata):
    llama = lambda key: metadata[f"llama.{key}"]
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": llama("embedding_length"),
        "intermediate_size": llama("feed_forward_length"),
        "num_hidden_layers": llama("block_count"),
        "num_attention_heads": llama("attention.head_count"),
        "num_key_value_heads": llama("attention.head_count_kv"),
        "rms_norm_eps": llama("attention.layer_norm_rms_epsilon"),
        "rope_theta": llama("rope.freq_base"),
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "max_position_embeddings": llama("context_length"),
        "tie_word_embeddings": True,
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "torch_dtype": "float32",
    }


def tokenizer(metadata):
    """SmolLM2's tokenizer.json."""
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id, "content": token, **flags} for id, (token, kind) in enumerate(zip(tokens, kinds)) if kind == 3
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": metadata["tokenizer.ggml.merges"],
        },
    }


def tokenizer_config(metadata):
    name = lambda kind: metadata["tokenizer.ggml.tokens"][metadata[f"tokenizer.ggml.{kind}_token_id"]]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": name("bos"),
        "eos_token": name("eos"),
        "chat_template": metadata["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
    }


def convert(source, folder):
    metadata, tensors = read_gguf(source)
    folder.mkdir(parents=True, exist_ok=True)
    settings = config(metadata)
    heads = {"attn_q": settings["num_attention_heads"], "attn_k": settings["num_key_value_heads"]}
    weights = sorted(hugging_face(tensors, heads).items())
    shards = {"model-00001-of-00002.safetensors": weights[::2], "model-00002-of-00002.safetensors": weights[1::2]}
    for name, shard in shards.items():
        save_file(dict(shard), folder / name, metadata={"format": "mlx"})
    index = {"metadata": {}, "weight_map": {key: name for name, shard in shards.items() for key, _ in shard}}
    documents = {
        "model.safetensors.index.json": index,
        "config.json": settings,
        "tokenizer.json": tokenizer(metadata),
        "tokenizer_config.json": tokenizer_config(metadata),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))


def answer(model, tokens, length):
    """The greedy continuation, whether or not a token in it ends the text."""
    steps = generate_step(mx.array(tokens), model, max_tokens=length)
    return [token for token, _ in steps]


def main():
    source, folder, questions, answers = map(Path, sys.argv[1:])
    convert(source, folder)
    model, tokenizer = load(str(folder))
    questions = json.loads(questions.read_text())
    conversations = []
    for messages in questions["conversations"]:
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        tokens = answer(model, prompt, questions["length"])
        conversations.append({"prompt": prompt, "tokens": tokens})
    texts = [tokenizer.encode(text, add_special_tokens=False) for text in questions["texts"]]
    answers.write_text(json.dumps({"conversations": conversations, "texts": texts}))


if __name__ == "__main__":
    main()
