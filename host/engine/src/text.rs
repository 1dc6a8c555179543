//! From tokens, one by one, to pieces of text that can be sent.

use std::mem;

use crate::{
    output::{MARKERS, longest_beginning},
    tokenizer::Tokenizer,
};

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
    pub(crate) fn push(&mut self, token: u32) -> Piece {
        self.stops.push(&self.detokenizer.push(token))
    }

    /// All that was held back and is whole, for no token follows.
    pub(crate) fn finish(&mut self) -> String {
        self.stops.finish()
    }
}

/// Turns a growing list of tokens into text by their bytes. A character that they only begin is held
/// back; those that no character has become U+FFFD, as in [`String::from_utf8_lossy`].
///
/// Decoding some tokens again with each new one, as Hugging Face's servers do, would not do: where
/// single bytes have tokens, a broken one changes what comes of the whole ones before it.
struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// The beginning of a character.
    held: Vec<u8>,
    /// Whether a space that comes now is the one that the tokeniser puts before a text.
    drops_space: bool,
}

impl<'a> Detokenizer<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            held: Vec::new(),
            drops_space: tokenizer.drops_first_space(),
        }
    }

    fn push(&mut self, token: u32) -> String {
        let special = self.tokenizer.special(token);
        if special.is_some_and(|name| !MARKERS.contains(&name)) {
            return String::new();
        }
        self.held.extend(self.tokenizer.bytes(token));
        let begun = begun_character(&self.held);
        let begun = self.held.split_off(self.held.len() - begun);
        let text = mem::replace(&mut self.held, begun);
        self.without_first_space(String::from_utf8_lossy(&text).into_owned())
    }

    fn without_first_space(&mut self, mut text: String) -> String {
        if !text.is_empty() && mem::take(&mut self.drops_space) && text.starts_with(' ') {
            text.remove(0);
        }
        text
    }
}

/// How many bytes at the end begin a character that more of them could complete.
fn begun_character(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let end = last.map_or(&[][..], |chunk| chunk.invalid());
    match str::from_utf8(end) {
        Err(error) if error.error_len().is_none() => end.len(),
        _ => 0,
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
                text: mem::take(&mut self.held),
                stopped_at: Some(stop.clone()),
            };
        }
        let certain = self.held.len() - longest_beginning(&self.held, &self.stops);
        let held = self.held.split_off(certain);
        Piece {
            text: mem::replace(&mut self.held, held),
            stopped_at: None,
        }
    }

    fn finish(&mut self) -> String {
        mem::take(&mut self.held)
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
            .map(|token| stream.push(*token).text)
            .collect();
        pieces.push(stream.finish());
        pieces
    }

    #[test]
    fn a_character_that_is_cut_short_is_not_sent() {
        let tokenizer = Tokenizer::of_bytes();
        let tokens = tokenizer.encode("a🦀").expect("encodes");
        assert_eq!(detokenize(&tokenizer, &tokens[..4]).concat(), "a");
    }

    #[test]
    fn text_goes_on_after_broken_bytes() {
        let tokenizer = Tokenizer::with_byte_fallback(&["▁a", "b"]);
        let tokens = [256, 0xc3, 0xa9, 0xff, 257, 0xe2, 0x82, 257, 0xf0];
        assert_eq!(
            detokenize(&tokenizer, &tokens).concat(),
            "aé\u{FFFD}b\u{FFFD}b"
        );
    }

    proptest! {
        #[test]
        fn characters_come_whole(text in "[a é🦀日\\u{301}]{0,12}") {
            let tokenizer = Tokenizer::of_bytes();
            let tokens = tokenizer.encode(&text).expect("encodes");
            let pieces = detokenize(&tokenizer, &tokens);
            prop_assert!(pieces.iter().all(|piece| !piece.contains('\u{FFFD}')), "{:?}", pieces);
            prop_assert_eq!(pieces.concat(), text);
        }

        #[test]
        fn any_tokens_give_the_text_of_their_bytes(
            tokens in prop::collection::vec(prop_oneof![
                prop::sample::select(&b"\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x80\xff \n"[..]).prop_map(u32::from),
                256..260u32,
            ], 0..16),
        ) {
            let with_fallback = Tokenizer::with_byte_fallback(&["▁", "▁a", "b", "é"]);
            for tokenizer in [Tokenizer::of_bytes(), with_fallback] {
                let bytes: Vec<_> =
                    tokens.iter().flat_map(|token| tokenizer.bytes(*token)).collect();
                let whole = String::from_utf8_lossy(&bytes[..bytes.len() - begun_character(&bytes)]);
                let whole = match whole.strip_prefix(' ') {
                    Some(rest) if tokenizer.drops_first_space() => rest,
                    _ => &whole,
                };
                let text = detokenize(&tokenizer, &tokens).concat();
                prop_assert_eq!(&text, whole);
                // Only of broken bytes do the decoders of single bytes make something else.
                if str::from_utf8(&bytes).is_ok() {
                    prop_assert_eq!(text, tokenizer.decode(&tokens));
                }
            }
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
