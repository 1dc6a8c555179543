//! BPE in the manner of `SentencePiece`, which files call `llama`.
//!
//! Of the pairs in a text that make a piece, `SentencePiece` joins the one whose piece has the
//! highest score, and of several the leftmost. Merges in that order do so too, as in Hugging Face's
//! converter: `SpmConverter` in `transformers/convert_slow_tokenizer.py`.

use std::{cmp::Ordering, collections::HashSet};

use tokenizers::{
    Tokenizer,
    decoders::{byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence, strip::Strip},
    models::bpe::{BPE, Vocab},
    normalizers::{Prepend, Replace, Sequence as Normalizers},
};

use super::{NORMAL, UNKNOWN, Vocabulary};
use crate::{EngineError, model::gguf::Metadata, tokenizer::bytes::SPACE};

pub(super) fn tokenizer(
    vocabulary: &Vocabulary,
    metadata: &Metadata,
) -> Result<Tokenizer, EngineError> {
    let scores = metadata.floats("tokenizer.ggml.scores")?;
    if scores.len() != vocabulary.tokens.len() {
        let (scores, tokens) = (scores.len(), vocabulary.tokens.len());
        return Err(metadata.broken(format!("it has {tokens} tokens, but scores of {scores}")));
    }
    let adds_space = metadata.boolean_or("tokenizer.ggml.add_space_prefix", true)?;
    build(vocabulary, &scores, adds_space).map_err(|error| metadata.broken(error.to_string()))
}

fn build(
    vocabulary: &Vocabulary,
    scores: &[f64],
    adds_space: bool,
) -> tokenizers::Result<Tokenizer> {
    let merges = merges(vocabulary, scores).into_iter();
    let merges = merges.map(|merge| (merge.left.to_owned(), merge.right.to_owned()));
    let tokens = vocabulary.tokens.iter().cloned().zip(0..);
    let mut bpe = BPE::builder()
        .vocab_and_merges(tokens.collect::<Vocab>(), merges.collect())
        .byte_fallback(true)
        .fuse_unk(true);
    if let Some((unknown, _)) = vocabulary.of_kind(UNKNOWN).next() {
        bpe = bpe.unk_token(unknown.to_owned());
    }
    let mut tokenizer = Tokenizer::new(bpe.build()?);
    let mut normalizers = vec![Replace::new(" ", SPACE)?.into()];
    let mut decoders = vec![
        Replace::new(SPACE, " ")?.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
    ];
    if adds_space {
        normalizers.push(Prepend::new(SPACE.to_owned()).into());
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_normalizer(Some(Normalizers::new(normalizers)))?;
    tokenizer.with_decoder(Some(Sequence::new(decoders)));
    Ok(tokenizer)
}

/// A pair of pieces that make another one.
struct Merge<'a> {
    left: &'a str,
    right: &'a str,
    /// The score of what they make.
    score: f64,
}

impl Merge<'_> {
    /// The highest score comes first, of one piece's pairs that with the longest left part.
    fn order(&self, other: &Self) -> Ordering {
        let by_score = other.score.total_cmp(&self.score);
        let left = |merge: &Self| merge.left.chars().count();
        let right = |merge: &Self| merge.right.chars().count();
        by_score
            .then_with(|| left(other).cmp(&left(self)))
            .then_with(|| right(other).cmp(&right(self)))
    }
}

/// All merges in the order in which they are made. Pieces that are no ordinary text, like control
/// tokens and single bytes, take part in none: their names in a text are only text.
fn merges<'a>(vocabulary: &'a Vocabulary, scores: &[f64]) -> Vec<Merge<'a>> {
    let pieces: HashSet<&str> = vocabulary.of_kind(NORMAL).map(|(piece, _)| piece).collect();
    let mut merges: Vec<_> = vocabulary
        .of_kind(NORMAL)
        .flat_map(|(piece, id)| {
            let pieces = &pieces;
            let splits = piece.char_indices().map(|(place, _)| piece.split_at(place));
            let splits =
                splits.filter(|(left, right)| pieces.contains(left) && pieces.contains(right));
            splits.map(move |(left, right)| Merge {
                left,
                right,
                score: scores[id],
            })
        })
        .collect();
    merges.sort_by(Merge::order);
    merges
}

#[cfg(test)]
mod tests {
    use super::{super::CONTROL, *};

    #[test]
    fn merges_are_sorted_by_score_and_make_ordinary_pieces_only() {
        let pieces = [
            ("a", NORMAL, -9.0),
            ("b", NORMAL, -9.0),
            ("ab", NORMAL, -1.0),
            ("ba", NORMAL, -0.5),
            ("aba", NORMAL, -2.0),
            ("bb", CONTROL, 0.0),
        ];
        let vocabulary = Vocabulary {
            tokens: pieces.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            kinds: pieces.iter().map(|(_, kind, _)| *kind).collect(),
            begin: None,
            ends: Vec::new(),
        };
        let merges = merges(&vocabulary, &pieces.map(|(.., score)| score));
        let pairs: Vec<_> = merges
            .iter()
            .map(|merge| (merge.left, merge.right))
            .collect();
        assert_eq!(pairs, [("b", "a"), ("a", "b"), ("ab", "a"), ("a", "ba")]);
    }
}
