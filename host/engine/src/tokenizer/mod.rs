//! Text to tokens and back.

mod bytes;
mod gguf;

use std::path::Path;

use tokenizers::{Decoder, Model, OffsetType, PreTokenizer};

pub(crate) use gguf::Vocabulary;

use crate::EngineError;

/// A model's tokeniser.
#[derive(Debug)]
pub(crate) struct Tokenizer(tokenizers::Tokenizer);

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub(crate) fn read(path: &Path) -> Result<Self, EngineError> {
        let broken = |reason: String| EngineError::ModelBroken {
            path: path.to_owned(),
            reason,
        };
        if !path.exists() {
            return Err(broken("it is missing".to_owned()));
        }
        tokenizers::Tokenizer::from_file(path)
            .map(Self)
            .map_err(|error| broken(error.to_string()))
    }

    /// Encodes a text that names special tokens itself. As with Hugging Face's tokenisers, the name
    /// of a special token stands for that token, wherever in the text it stands.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        self.ids(text, false)
    }

    /// The tokens of a text as a model is trained on it: with the special tokens around it that
    /// the tokeniser's post-processor adds, like the one that begins every text.
    pub(crate) fn encode_whole(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        self.ids(text, true)
    }

    /// Encodes a text in which this mark keeps spellings of special tokens apart: the mark itself is
    /// no part of the text. Without marks that is [`Self::encode`].
    pub(crate) fn encode_marked(&self, text: &str, mark: char) -> Result<Vec<u32>, EngineError> {
        let encode = || {
            let Self(tokenizer) = self;
            let added = tokenizer.get_added_vocabulary();
            let mut pieces = added.extract_and_normalize(tokenizer.get_normalizer(), text);
            pieces.normalize(|piece| {
                piece.filter(|char| char != mark);
                Ok(())
            })?;
            if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut pieces)?;
            }
            pieces.tokenize(|piece| tokenizer.get_model().tokenize(piece.get()))?;
            let encoding = pieces.into_encoding(None, 0, OffsetType::None)?;
            tokenizer.post_process(encoding, None, false)
        };
        encode()
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| failure(&error))
    }

    fn ids(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, EngineError> {
        let encoding = self
            .0
            .encode_fast(text, add_special_tokens)
            .map_err(|error| failure(&error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The name of a token that has a meaning of its own, and is no part of a text.
    pub(crate) fn special(&self, token: u32) -> Option<&str> {
        let added = self.0.get_added_vocabulary().get_added_tokens_decoder();
        let token = added.get(&token).filter(|token| token.special)?;
        Some(&token.content)
    }

    /// The names of all special tokens.
    pub(crate) fn special_names(&self) -> impl Iterator<Item = &str> {
        let added = self.0.get_added_vocabulary().get_added_tokens_decoder();
        let special = added.values().filter(|token| token.special);
        special.map(|token| token.content.as_str())
    }

    /// The bytes that a token stands for, which may be a part of a character.
    pub(crate) fn bytes(&self, token: u32) -> Vec<u8> {
        self.0
            .id_to_token(token)
            .map_or_else(Vec::new, |name| bytes::of(&name, self.0.get_decoder()))
    }

    /// Whether texts of tokens lose the space that they begin with, which is not the text's own.
    pub(crate) fn drops_first_space(&self) -> bool {
        self.0.get_decoder().is_some_and(|decoder| {
            let space = vec![bytes::SPACE.to_owned()];
            decoder.decode(space).is_ok_and(|text| text.is_empty())
        })
    }

    /// The token of this name.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }
}

fn failure(error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Generation {
        reason: format!("the tokeniser fails: {error}"),
    }
}

#[cfg(test)]
impl Tokenizer {
    /// The text of tokens, special ones by their names.
    pub(crate) fn decode(&self, tokens: &[u32]) -> String {
        self.0.decode(tokens, false).expect("decodes")
    }

    /// A tokeniser with a token for each byte.
    pub(crate) fn of_bytes() -> Self {
        use tokenizers::{
            models::bpe::{BPE, Vocab},
            pre_tokenizers::byte_level::ByteLevel,
        };
        let bytes = ByteLevel::alphabet().into_iter().map(String::from);
        let bpe = BPE::builder().vocab_and_merges(bytes.zip(0..).collect::<Vocab>(), Vec::new());
        let mut tokenizer = tokenizers::Tokenizer::new(bpe.build().expect("is sound"));
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, false)));
        tokenizer.with_decoder(Some(ByteLevel::default()));
        Self(tokenizer)
    }

    /// The same with special tokens of these names after those of bytes.
    pub(crate) fn of_bytes_and(special: &[&str]) -> Self {
        let Self(mut tokenizer) = Self::of_bytes();
        let special = special.iter().copied();
        let special = special.map(|name| tokenizers::AddedToken::from(name, true));
        tokenizer.add_special_tokens(special).expect("they are new");
        Self(tokenizer)
    }

    /// A tokeniser in the manner of `SentencePiece`: tokens 0 to 255 are the bytes, others follow.
    pub(crate) fn with_byte_fallback(others: &[&str]) -> Self {
        use tokenizers::{
            decoders::{byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence, strip::Strip},
            models::bpe::{BPE, Vocab},
            normalizers::Replace,
        };
        let bytes = (0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>"));
        let names = bytes.chain(others.iter().map(|name| (*name).to_owned()));
        let bpe = BPE::builder().vocab_and_merges(names.zip(0..).collect::<Vocab>(), Vec::new());
        let mut tokenizer = tokenizers::Tokenizer::new(bpe.build().expect("is sound"));
        tokenizer.with_decoder(Some(Sequence::new(vec![
            Replace::new("▁", " ").expect("is a pattern").into(),
            ByteFallback::new().into(),
            Fuse::new().into(),
            Strip::new(' ', 1, 0).into(),
        ])));
        Self(tokenizer)
    }
}
