//! From tokens, one by one, to pieces of text that can be sent.

use crate::{
    EngineError,
    output::{MARKERS, longest_beginning},
    tokenizer::Tokenizer,
};

/// What a decoder makes of a token that is not whole text yet.
const REPLACEMENT: char = '\u{FFFD}';

/// Turns tokens into text, holding back what later tokens may change: parts of characters, and
/// text that may be the beginning of a stop string.
pub(crate) struct TextStream<'a> {
    detokenizer: Detokenizer<'a>,
    stops: StopMatcher,
}

/// What a step of a text gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// New text; may be empty.
    pub(crate) text: String,
    /// The stop string that came after it, if the text is at its end.
    pub(crate) stopped_at: Option<String>,
}

impl<'a> TextStream<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer, stops: &[String]) -> Self {
        Self {
            detokenizer: Detokenizer::new(tokenizer),
            stops: StopMatcher::new(stops),
        }
    }

    /// What this token makes certain.
    pub(crate) fn push(&mut self, token: u32) -> Result<Piece, EngineError> {
        Ok(self.stops.push(&self.detokenizer.push(token)?))
    }

    /// All that was held back and is whole, for no token follows.
    pub(crate) fn finish(&mut self) -> Result<Piece, EngineError> {
        let mut piece = self.stops.push(&self.detokenizer.finish()?);
        if piece.stopped_at.is_none() {
            piece.text.push_str(&self.stops.finish());
        }
        Ok(piece)
    }
}

/// Decodes a growing list of tokens piece by piece.
///
/// A token's text can depend on its neighbours, so a few tokens are decoded again, with and without
/// the new one, and the difference is the new text. The method is that of Hugging Face's text
/// generation inference (`decode_token` in `server/text_generation_server/models/model.py`).
struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// The tokens of the last piece, then those that are no whole text yet.
    tokens: Vec<u32>,
    /// How many of them belong to the last piece.
    given: usize,
}

impl<'a> Detokenizer<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            tokens: Vec::new(),
            given: 0,
        }
    }

    fn push(&mut self, token: u32) -> Result<String, EngineError> {
        let special = self.tokenizer.special(token);
        if special.is_some_and(|name| !MARKERS.contains(&name)) {
            return Ok(String::new());
        }
        self.tokens.push(token);
        let text = self.held()?;
        if text.is_empty() || text.ends_with(REPLACEMENT) {
            return Ok(String::new());
        }
        self.tokens.drain(..self.given);
        self.given = self.tokens.len();
        Ok(text)
    }

    /// What was held back, without a character that lacks bytes.
    fn finish(&self) -> Result<String, EngineError> {
        Ok(self.held()?.trim_end_matches(REPLACEMENT).to_owned())
    }

    fn held(&self) -> Result<String, EngineError> {
        let given = self.tokenizer.decode(&self.tokens[..self.given])?;
        let all = self.tokenizer.decode(&self.tokens)?;
        Ok(all.get(given.len()..).unwrap_or_default().to_owned())
    }
}

/// Finds the first stop string in a growing text.
struct StopMatcher {
    stops: Vec<String>,
    /// The end of the text so far that may be the beginning of a stop string.
    held: String,
}

impl StopMatcher {
    fn new(stops: &[String]) -> Self {
        let stops = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .cloned()
            .collect();
        Self {
            stops,
            held: String::new(),
        }
    }

    fn push(&mut self, text: &str) -> Piece {
        self.held.push_str(text);
        let first = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop)?, stop)))
            .min_by_key(|(position, _)| *position);
        if let Some((position, stop)) = first {
            self.held.truncate(position);
            return Piece {
                text: std::mem::take(&mut self.held),
                stopped_at: Some(stop.clone()),
            };
        }
        let certain = self.held.len() - longest_beginning(&self.held, &self.stops);
        let held = self.held.split_off(certain);
        Piece {
            text: std::mem::replace(&mut self.held, held),
            stopped_at: None,
        }
    }

    fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pieces sent for a text that comes in these pieces, and whether it was stopped.
    fn send(pieces: &[&str], stops: &[&str]) -> (Vec<String>, bool) {
        let stops: Vec<_> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut matcher = StopMatcher::new(&stops);
        let mut sent = Vec::new();
        for text in pieces {
            let piece = matcher.push(text);
            sent.push(piece.text);
            if piece.stopped_at.is_some() {
                return (sent, true);
            }
        }
        sent.push(matcher.finish());
        (sent, false)
    }

    #[test]
    fn a_stop_string_is_found_across_pieces_and_never_sent() {
        let (sent, stopped) = send(&["Hello wo", "rl", "d! More"], &["world"]);
        assert!(stopped);
        assert_eq!(sent, ["Hello ", "", ""]);
    }

    #[test]
    fn text_that_only_looked_like_a_stop_string_is_sent() {
        let (sent, stopped) = send(&["a wo", "rth", " wor"], &["world"]);
        assert!(!stopped);
        assert_eq!(sent, ["a ", "worth", " ", "wor"]);
    }

    #[test]
    fn the_first_of_several_stop_strings_ends_the_text() {
        assert_eq!(
            send(&["one two three"], &["three", "two"]),
            (vec!["one ".to_owned()], true)
        );
    }

    /// The pieces sent for these tokens.
    fn detokenize(tokenizer: &Tokenizer, tokens: &[u32]) -> Vec<String> {
        let mut stream = TextStream::new(tokenizer, &[]);
        let mut pieces: Vec<_> = tokens
            .iter()
            .map(|token| stream.push(*token).expect("decodes").text)
            .collect();
        pieces.push(stream.finish().expect("decodes").text);
        pieces
    }

    #[test]
    fn a_character_that_is_cut_short_is_not_sent() {
        let tokenizer = Tokenizer::of_bytes();
        let tokens = tokenizer.encode("a🦀").expect("encodes");
        assert_eq!(detokenize(&tokenizer, &tokens[..4]).concat(), "a");
    }

    proptest! {
        #[test]
        fn characters_come_whole(text in "[a é🦀日\\u{301}]{0,12}") {
            let tokenizer = Tokenizer::of_bytes();
            let tokens = tokenizer.encode(&text).expect("encodes");
            let pieces = detokenize(&tokenizer, &tokens);
            prop_assert!(pieces.iter().all(|piece| !piece.contains(REPLACEMENT)), "{:?}", pieces);
            prop_assert_eq!(pieces.concat(), text);
        }

        #[test]
        fn what_is_sent_is_the_text_before_the_first_stop_string(
            pieces in prop::collection::vec("[abé]{0,3}", 0..12),
            stops in prop::collection::vec("[abé]{1,4}", 0..3),
        ) {
            // A stop string ends the text with the piece that completes it, even if another that
            // begins earlier might have been completed later.
            let first_stop = |text: &str| stops.iter().filter_map(|stop| text.find(stop)).min();
            let ends = (1..=pieces.len()).map(|count| first_stop(&pieces[..count].concat()));
            let end = ends.flatten().next();
            let text = pieces.concat();
            let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
            let stops: Vec<_> = stops.iter().map(String::as_str).collect();
            let (sent, stopped) = send(&pieces, &stops);
            prop_assert_eq!(stopped, end.is_some());
            prop_assert_eq!(sent.concat(), &text[..end.unwrap_or(text.len())]);
        }
    }
}
