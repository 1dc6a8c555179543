//! Tokenisers from the metadata of GGUF files.

mod byte_level;
mod sentence_piece;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use tokenizers::{
    AddedToken,
    processors::template::{SpecialToken, TemplateProcessing},
};

use super::Tokenizer;
use crate::{EngineError, model::gguf::Metadata, template::SpecialTokens};

/// GGML's names for kinds of tokens.
const NORMAL: i64 = 1;
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

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

    pub(crate) fn tokenizer(&self, metadata: &Metadata) -> Result<Tokenizer, EngineError> {
        let (mut tokenizer, begins) = match metadata.text("tokenizer.ggml.model")? {
            "gpt2" => byte_level::tokenizer(self, metadata)?,
            "llama" => (sentence_piece::tokenizer(self, metadata)?, true),
            other => return Err(metadata.unsupported(format!("its tokeniser is {other}"))),
        };
        let begin = metadata.boolean_or("tokenizer.ggml.add_bos_token", begins)?;
        let end = metadata.boolean_or("tokenizer.ggml.add_eos_token", false)?;
        let broken = |error: tokenizers::Error| metadata.broken(error.to_string());
        let around = self.around(begin, end).map_err(broken)?;
        tokenizer.with_post_processor(Some(around));
        tokenizer.add_tokens(self.added_tokens()).map_err(broken)?;
        Ok(Tokenizer(tokenizer))
    }

    /// Tokens of this kind, with their ids.
    fn of_kind(&self, wanted: i64) -> impl Iterator<Item = (&str, usize)> {
        let tokens = self.tokens.iter().zip(&self.kinds).enumerate();
        tokens
            .filter(move |(_, (_, kind))| **kind == wanted)
            .map(|(id, (token, _))| (token.as_str(), id))
    }

    /// What puts the tokens around a text that begin and end it, so far as the model has them.
    fn around(&self, begin: bool, end: bool) -> tokenizers::Result<TemplateProcessing> {
        let begin = self.begin.filter(|_| begin);
        let end = self.ends.first().copied().filter(|_| end);
        let special = |name: &str, id: Option<usize>| {
            id.map(|id| {
                let token = self.tokens[id].clone();
                SpecialToken::new(name.to_owned(), vec![u32::try_from(id)?], vec![token])
            })
            .transpose()
        };
        let begin = special("begin", begin)?;
        let end = special("end", end)?;
        let pieces = [
            begin.as_ref().map(|_| "begin"),
            Some("$A"),
            end.as_ref().map(|_| "end"),
        ];
        let processing = TemplateProcessing::builder()
            .try_single(pieces.into_iter().flatten().collect::<Vec<_>>())?
            .special_tokens([begin, end].into_iter().flatten().collect::<Vec<_>>())
            .build()?;
        Ok(processing)
    }

    /// Tokens that stand for themselves in a text, before it is split.
    fn added_tokens(&self) -> Vec<AddedToken> {
        let added = self.tokens.iter().zip(&self.kinds);
        added
            .filter(|(_, kind)| matches!(**kind, UNKNOWN | CONTROL | USER_DEFINED))
            .map(|(token, kind)| AddedToken::from(token, *kind != USER_DEFINED).normalized(false))
            .collect()
    }
}
