//! Byte-level BPE, which files call `gpt2`.

use tokenizers::{
    PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::{BPE, Vocab},
    normalizers::NFC,
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use super::Vocabulary;
use crate::{EngineError, model::gguf::Metadata};

/// How Llama 3 splits a text before BPE.
const LLAMA_3_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How Qwen 2 and 3 do: as Llama 3, but digit by digit.
const QWEN_2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The tokeniser, and whether it begins texts with a token where the file does not say: in
/// `llama.cpp` only Llama 3's does.
pub(super) fn tokenizer(
    vocabulary: &Vocabulary,
    metadata: &Metadata,
) -> Result<(Tokenizer, bool), EngineError> {
    let split = match metadata.get("tokenizer.ggml.pre") {
        Some(_) => metadata.text("tokenizer.ggml.pre")?,
        None => "default",
    };
    let (pre_tokenizer, is_llama_3) = pre_tokenizer(split)
        .ok_or_else(|| metadata.unsupported(format!("its tokeniser splits texts by `{split}`")))?;
    let broken = |error: tokenizers::Error| metadata.broken(error.to_string());
    let tokens = vocabulary.tokens.iter().cloned().zip(0..);
    let bpe = BPE::builder()
        .vocab_and_merges(tokens.collect::<Vocab>(), merges(vocabulary, metadata)?)
        .ignore_merges(is_llama_3)
        .build()
        .map_err(broken)?;
    let mut tokenizer = Tokenizer::new(bpe);
    if split == "qwen2" {
        tokenizer.with_normalizer(Some(NFC)).map_err(broken)?;
    }
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok((tokenizer, is_llama_3))
}

/// The pairs of tokens that make another. The library panics on one that is longer than all tokens.
fn merges(
    vocabulary: &Vocabulary,
    metadata: &Metadata,
) -> Result<Vec<(String, String)>, EngineError> {
    let longest = vocabulary.tokens.iter().map(String::len).max().unwrap_or(0);
    let texts = metadata.texts("tokenizer.ggml.merges")?;
    let merges = texts.into_iter().filter_map(|merge| merge.split_once(' '));
    merges
        .map(|(left, right)| {
            if left.len() + right.len() > longest {
                return Err(metadata.broken(format!("`{left}{right}` is no token")));
            }
            Ok((left.to_owned(), right.to_owned()))
        })
        .collect()
}

/// How texts are split before BPE, by `llama.cpp`'s name for it, and whether that is Llama 3's way,
/// whose tokeniser never takes a piece apart that is a token as a whole.
fn pre_tokenizer(name: &str) -> Option<(PreTokenizerWrapper, bool)> {
    let bytes = |use_regex| ByteLevel::new(false, true, use_regex);
    match name {
        "default" | "gpt-2" => Some((bytes(true).into(), false)),
        "smollm" => {
            let digits = Digits::new(true);
            Some((
                Sequence::new(vec![digits.into(), bytes(true).into()]).into(),
                false,
            ))
        }
        "llama-bpe" | "llama3" => {
            let split = split(LLAMA_3_SPLIT)?;
            Some((Sequence::new(vec![split, bytes(false).into()]).into(), true))
        }
        "qwen2" => {
            let split = split(QWEN_2_SPLIT)?;
            Some((
                Sequence::new(vec![split, bytes(false).into()]).into(),
                false,
            ))
        }
        _ => None,
    }
}

/// Pieces are what the pattern matches, and what lies between.
fn split(pattern: &str) -> Option<PreTokenizerWrapper> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).ok()?;
    Some(split.into())
}
