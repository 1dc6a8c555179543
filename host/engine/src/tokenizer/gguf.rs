//! Tokenisers from the metadata of GGUF files: byte-level BPE.

use std::collections::HashSet;

use tokenizers::{
    AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior,
    models::bpe::{BPE, Vocab},
    normalizers::NFC,
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    processors::template::{SpecialToken, TemplateProcessing},
};

use super::Tokenizer;
use crate::{EngineError, model::gguf::Metadata, template::SpecialTokens};

/// GGML's names for tokens that are no ordinary text.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// How Llama 3 splits a text before BPE.
const LLAMA_3_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How Qwen 2 and 3 do: as Llama 3, but digit by digit.
const QWEN_2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The tokens of a model.
pub(crate) struct Vocabulary {
    /// By id.
    tokens: Vec<String>,
    /// By id, GGML's kind of each token.
    kinds: Vec<i64>,
    begin: Option<usize>,
    /// The tokens that end a text, the one that ends any first.
    ends: Vec<usize>,
}

impl Vocabulary {
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, EngineError> {
        match metadata.text("tokenizer.ggml.model")? {
            "gpt2" => {}
            other => return Err(metadata.unsupported(format!("its tokeniser is {other}"))),
        }
        let tokens: Vec<String> = metadata
            .texts("tokenizer.ggml.tokens")?
            .into_iter()
            .map(str::to_owned)
            .collect();
        let kinds = metadata.integers("tokenizer.ggml.token_type")?;
        if kinds.len() != tokens.len() {
            let (kinds, tokens) = (kinds.len(), tokens.len());
            return Err(metadata.broken(format!("it has {tokens} tokens, but kinds of {kinds}")));
        }
        let id = |name: &str| -> Result<Option<usize>, EngineError> {
            let key = format!("tokenizer.ggml.{name}_token_id");
            match metadata
                .get(&key)
                .map(|_| metadata.integer(&key))
                .transpose()?
            {
                Some(id) if id >= tokens.len() => {
                    Err(metadata.broken(format!("`{key}` is {id}, which is no token")))
                }
                id => Ok(id),
            }
        };
        let begin = id("bos")?;
        let ends = [id("eos")?, id("eot")?, id("eom")?]
            .into_iter()
            .flatten()
            .collect();
        Ok(Self {
            tokens,
            kinds,
            begin,
            ends,
        })
    }

    pub(crate) fn special_tokens(&self) -> SpecialTokens {
        let name = |id: Option<&usize>| id.and_then(|id| self.tokens.get(*id)).cloned();
        SpecialTokens {
            begin: name(self.begin.as_ref()),
            end: name(self.ends.first()),
        }
    }

    pub(crate) fn end_tokens(&self) -> HashSet<u32> {
        self.ends
            .iter()
            .filter_map(|id| u32::try_from(*id).ok())
            .collect()
    }

    pub(crate) fn tokenizer(self, metadata: &Metadata) -> Result<Tokenizer, EngineError> {
        let split = match metadata.get("tokenizer.ggml.pre") {
            Some(_) => metadata.text("tokenizer.ggml.pre")?,
            None => "default",
        };
        let (pre_tokenizer, is_llama_3) = pre_tokenizer(split).ok_or_else(|| {
            metadata.unsupported(format!("its tokeniser splits texts by `{split}`"))
        })?;
        let broken = |error: tokenizers::Error| metadata.broken(error.to_string());
        let merges = self.merges(metadata)?;
        let special = self.added_tokens();
        let post_processor = self.post_processor(metadata, is_llama_3)?;
        let vocabulary = self.tokens.into_iter().zip(0..);
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary.collect::<Vocab>(), merges)
            .ignore_merges(is_llama_3)
            .build()
            .map_err(broken)?;
        let mut tokenizer = tokenizers::Tokenizer::new(bpe);
        if split == "qwen2" {
            tokenizer.with_normalizer(Some(NFC)).map_err(broken)?;
        }
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
        tokenizer.with_post_processor(post_processor);
        tokenizer.with_decoder(Some(ByteLevel::default()));
        tokenizer.add_tokens(special).map_err(broken)?;
        Ok(Tokenizer(tokenizer))
    }

    /// The pairs of tokens that make another. The library panics on one that is longer than all tokens.
    fn merges(&self, metadata: &Metadata) -> Result<Vec<(String, String)>, EngineError> {
        let longest = self.tokens.iter().map(String::len).max().unwrap_or(0);
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

    /// What adds the token that begins every text, if the model has one. Files that do not say so
    /// have it by default with Llama 3's tokeniser only, as in `llama.cpp`.
    fn post_processor(
        &self,
        metadata: &Metadata,
        default: bool,
    ) -> Result<Option<TemplateProcessing>, EngineError> {
        let is_wanted = metadata.boolean_or("tokenizer.ggml.add_bos_token", default)?;
        let begin = self.begin.filter(|_| is_wanted);
        begin
            .map(|id| begin_with(id, &self.tokens[id]))
            .transpose()
            .map_err(|error| metadata.broken(error.to_string()))
    }

    /// Tokens that stand for themselves in a text, before it is split.
    fn added_tokens(&self) -> Vec<AddedToken> {
        let added = self.tokens.iter().zip(&self.kinds);
        added
            .filter(|(_, kind)| matches!(**kind, CONTROL | USER_DEFINED))
            .map(|(token, kind)| AddedToken::from(token, *kind == CONTROL).normalized(false))
            .collect()
    }
}

/// Puts this token before each text.
fn begin_with(id: usize, token: &str) -> tokenizers::Result<TemplateProcessing> {
    let begin = SpecialToken::new(
        "begin".to_owned(),
        vec![u32::try_from(id)?],
        vec![token.to_owned()],
    )?;
    let processing = TemplateProcessing::builder()
        .try_single("begin $A")?
        .special_tokens(vec![begin])
        .build()?;
    Ok(processing)
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
