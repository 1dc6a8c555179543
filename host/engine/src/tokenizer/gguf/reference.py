"""Trains small SentencePiece models, and encodes texts with them.

    reference.py FOLDER

Writes the vocabulary of each model into a GGUF file in FOLDER. Prints [{"path": file, "texts": [{"text": text,
"tokens": its tokens with those around it, "decoded": their text}, …]}, …].
"""

import io
import json
import random
import sys
from pathlib import Path

import sentencepiece
import tiny_gguf

WORDS = "the cat sat on a mat and then banana abab baba aaaa deja-vu naïve été 日本語 日本 🦀 x1y2 2024".split()
GAPS = [" ", " ", "  ", "   ", "\t", "\n", "a" * 5, " " * 9]
TEXTS = [
    "",
    " ",
    "the cat",
    " the cat",
    "  two  spaces  ",
    "line\nline\r\n\n\tend\n",
    "日本語の本",
    "🦀🦀 👩‍👩‍👧 e\u0301 \u0000",
    "▁a ▁ ▁▁b",
    "<0x0A><0xFF> <0x0a>",
    "ﬁne ① Å ＡＢ",
]
# GGML's kinds of tokens.
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def sentences():
    for _ in range(2000):
        yield "".join(random.choice(WORDS) + random.choice(GAPS) for _ in range(12))


def trained(size, **settings):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences(),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        num_threads=1,
        minloglevel=2,
        **settings,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def kind(model, token):
    if model.is_unknown(token):
        return UNKNOWN
    if model.is_control(token):
        return CONTROL
    return BYTE if model.is_byte(token) else NORMAL


def save(path, model, settings):
    tokens = range(model.vocab_size())
    entries = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [model.id_to_piece(token) for token in tokens],
        "tokenizer.ggml.scores": [model.get_score(token) for token in tokens],
        "tokenizer.ggml.token_type": [kind(model, token) for token in tokens],
        "tokenizer.ggml.bos_token_id": model.bos_id(),
        "tokenizer.ggml.eos_token_id": model.eos_id(),
    }
    tiny_gguf.save(path, {**entries, **settings})


def texts():
    """Those above, runs of one character, and letters in any order: what trained merges never saw."""
    runs = [character * length for character in "a 日🦀" for length in range(1, 40)]
    random_texts = [
        "".join(random.choice(letters) for _ in range(random.randint(1, 40)))
        for letters in ["ab ", "banthe ", "日本語の a\n", "🦀é√ a▁"]
        for _ in range(250)
    ]
    return TEXTS + runs + list(sentences())[:20] + random_texts


def reference(path, model, settings, **around):
    save(path, model, settings)
    cases = []
    for text in texts():
        tokens = model.encode(text, **around)
        cases.append({"text": text, "tokens": tokens, "decoded": model.decode(tokens)})
    return {"path": str(path), "texts": cases}


def main():
    random.seed(20)
    folder = Path(sys.argv[1])
    space = "tokenizer.ggml.add_space_prefix"
    begin, end = "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"
    models = [
        reference(folder / "default.gguf", trained(600), {}, add_bos=True),
        reference(folder / "small.gguf", trained(340), {begin: False, end: True}, add_eos=True),
        reference(
            folder / "no-space.gguf", trained(450, add_dummy_prefix=False), {space: False, begin: False}
        ),
    ]
    json.dump(models, sys.stdout)


if __name__ == "__main__":
    main()
