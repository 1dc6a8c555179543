"""Tiny models of each architecture with random weights, and what mlx_lm makes of them.

    tiny_models.py FOLDER

Writes each model into FOLDER, as a Hugging Face folder or a GGUF file, and FOLDER/references.json, which is
[{"name": name, "path": folder or file, "logits": [[logit of a token, …] after each token, …]}, …] for the
tokens TOKENS. mlx_lm reads the folders itself; of GGUF files it is given the weights that their numbers stand for.
It computes in float32.
"""

import copy
import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.utils import _get_classes, dequantize_model, load_model, quantize_model

import tiny_gguf

VOCABULARY, HIDDEN = 96, 128
TOKENS = [(7 * i * i + 3 * i) % VOCABULARY for i in range(80)]

DENSE = {
    "hidden_size": HIDDEN,
    "intermediate_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 0,
}
LLAMA = {**DENSE, "model_type": "llama"}
QWEN_2 = {**DENSE, "model_type": "qwen2"}
QWEN_3 = {**DENSE, "model_type": "qwen3", "head_dim": 32}
EXPERTS = {
    **QWEN_3,
    "model_type": "qwen3_moe",
    "tie_word_embeddings": False,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [1],
}
LLAMA_3_ROPE = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 32}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"]

FLOAT_MODELS = {
    "llama": LLAMA,
    "llama-float16": {**LLAMA, "torch_dtype": "float16"},
    "llama-bfloat16": {**LLAMA, "torch_dtype": "bfloat16", "tie_word_embeddings": False},
    "llama-biases": {**LLAMA, "attention_bias": True, "mlp_bias": True},
    "llama-rope-linear": {**LLAMA, "rope_scaling": {"type": "linear", "factor": 4.0}},
    "llama-rope-llama3": {**LLAMA, "rope_scaling": LLAMA_3_ROPE},
    "mistral-window": {**LLAMA, "model_type": "mistral", "sliding_window": 16, "layer_types": WINDOWS},
    "qwen2": QWEN_2,
    "qwen2-rope-yarn": {**QWEN_2, "rope_scaling": YARN, "tie_word_embeddings": False},
    "qwen3": QWEN_3,
    "qwen3-rope-yarn": {**QWEN_3, "rope_scaling": {**YARN, "beta_fast": 16.0}},
    "qwen3-moe": EXPERTS,
    "qwen3-moe-plain-shares": {**EXPERTS, "norm_topk_prob": False, "decoder_sparse_step": 2},
}
# Settings, group size, bits.
QUANTISED_MODELS = {
    "llama-2-bit": (LLAMA, 32, 2),
    "llama-3-bit": (LLAMA, 64, 3),
    "llama-5-bit": ({**LLAMA, "torch_dtype": "bfloat16"}, 32, 5),
    "qwen2-4-bit": (QWEN_2, 64, 4),
    "qwen3-6-bit": ({**QWEN_3, "torch_dtype": "float16"}, 64, 6),
    "qwen3-8-bit": (QWEN_3, 32, 8),
    "llama-4-bit-group-128": ({**LLAMA, "intermediate_size": 256}, 128, 4),
    # mlx_lm gives the router eight bits, which config.json tells layer by layer.
    "qwen3-moe-4-bit": (EXPERTS, 32, 4),
}
GGUF_MODELS = {
    "llama-f32": (LLAMA, "F32"),
    "llama-f16": ({**LLAMA, "tie_word_embeddings": False}, "F16"),
    "llama-q8_0": (LLAMA, "Q8_0"),
    "llama-q4_0": ({**LLAMA, "rope_scaling": {"type": "linear", "factor": 4.0}}, "Q4_0"),
    "qwen2-q4_1": (QWEN_2, "Q4_1"),
    "qwen3-q8_0": ({**QWEN_3, "rope_scaling": YARN}, "Q8_0"),
    "qwen3moe-q4_0": ({**EXPERTS, "mlp_only_layers": []}, "Q4_0"),
}


def random_model(config):
    """Weights as large as trained ones: with small ones attention would see all positions alike."""
    model_class, arguments = _get_classes(config)
    model = model_class(arguments.from_dict(config))

    def weights(name, shape):
        if "norm" in name:
            return mx.random.uniform(0.5, 1.5, shape)
        if name.endswith(".bias"):
            return mx.random.normal(shape) * 0.3
        gain = 3.0 if "q_proj" in name or "k_proj" in name or name.endswith("mlp.gate.weight") else 1.0
        return mx.random.normal(shape) * gain / shape[-1] ** 0.5

    named = tree_flatten(model.parameters())
    model.update(tree_unflatten([(name, weights(name, array.shape)) for name, array in named]))
    if dtype := config.get("torch_dtype"):
        model.set_dtype(getattr(mx, dtype))
    return model


def logits(model):
    model.set_dtype(mx.float32)
    return model(mx.array([TOKENS]))[0].tolist()


def experts_apart(weights):
    """A tensor for each expert, as Hugging Face has them."""
    apart = {}
    for name, tensor in weights.items():
        layer, stack, part = name.partition(".switch_mlp.")
        if stack:
            apart.update({f"{layer}.experts.{index}.{part}": expert for index, expert in enumerate(tensor)})
        else:
            apart[name] = tensor
    return apart


def save_folder(folder, weights, config):
    """In two shards."""
    folder.mkdir()
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, held in shards.items():
        mx.save_safetensors(str(folder / shard), {name: weights[name] for name in held}, {"format": "mlx"})
    index = {"metadata": {}, "weight_map": {name: shard for shard, held in shards.items() for name in held}}
    vocabulary = {chr(256 + index): index for index in range(VOCABULARY)}
    documents = {
        "model.safetensors.index.json": index,
        "config.json": config,
        "tokenizer.json": {
            "version": "1.0",
            "added_tokens": [],
            "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
        },
        "tokenizer_config.json": {"chat_template": tiny_gguf.CHAT_TEMPLATE},
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))


def folder_reference(path, model, config, apart=False):
    weights = dict(tree_flatten(model.parameters()))
    save_folder(path, experts_apart(weights) if apart else weights, config)
    loaded, _ = load_model(path)
    loaded.set_dtype(mx.float32)
    # Of packed experts this mlx_lm asks what this MLX does not know.
    return logits(dequantize_model(loaded) if "num_experts" in config else loaded)


def quantised_reference(path, config, group_size, bits):
    model, config = quantize_model(random_model(config), copy.deepcopy(config), group_size, bits)
    return folder_reference(path, model, config)


def gguf_reference(path, config, kind):
    model = random_model(config)
    weights = dict(tree_flatten(model.parameters()))
    held = tiny_gguf.write(path, config, weights, kind)
    model.load_weights(list(held.items()))
    return logits(model)


def main():
    mx.random.seed(20)
    folder = Path(sys.argv[1])
    references = []

    def add(name, path, values):
        references.append({"name": name, "path": str(path), "logits": values})

    for name, config in FLOAT_MODELS.items():
        path = folder / name
        # Of the two models with experts one is stored as Hugging Face does it.
        add(name, path, folder_reference(path, random_model(config), config, apart=name == "qwen3-moe"))
    for name, (config, group_size, bits) in QUANTISED_MODELS.items():
        path = folder / name
        add(name, path, quantised_reference(path, config, group_size, bits))
    for name, (config, kind) in GGUF_MODELS.items():
        path = folder / f"{name}.gguf"
        add(name, path, gguf_reference(path, config, kind))
    (folder / "references.json").write_text(json.dumps({"tokens": TOKENS, "models": references}))


if __name__ == "__main__":
    main()
