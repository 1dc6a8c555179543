//! The bytes behind a token's name.

use std::{collections::HashMap, sync::LazyLock};

use tokenizers::DecoderWrapper;

/// What stands for a space in the names of `SentencePiece`'s tokens.
pub(super) const SPACE: &str = "▁";

/// The bytes of the token of this name, by the way in which its tokeniser writes names.
pub(super) fn of(name: &str, decoder: Option<&DecoderWrapper>) -> Vec<u8> {
    if decoder.is_some_and(is_byte_level) {
        // A token that was added is named by its text.
        let bytes: Option<Vec<u8>> = name.chars().map(|char| BYTES.get(&char).copied()).collect();
        return bytes.unwrap_or_else(|| name.as_bytes().to_vec());
    }
    match fallback(name) {
        Some(byte) => vec![byte],
        None => name.replace(SPACE, " ").into_bytes(),
    }
}

fn is_byte_level(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteLevel(_) => true,
        DecoderWrapper::Sequence(decoders) => decoders.get_decoders().iter().any(is_byte_level),
        _ => false,
    }
}

/// The byte of a name like `<0x0A>`.
fn fallback(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// GPT-2's characters for bytes: printable ones stand for themselves, the others follow from
/// U+0100 on.
static BYTES: LazyLock<HashMap<char, u8>> = LazyLock::new(|| {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=u8::MAX).filter(is_printable);
    let others = (0..=u8::MAX).filter(|byte| !is_printable(byte));
    let following = others.zip('\u{100}'..).map(|(byte, char)| (char, byte));
    printable
        .map(|byte| (char::from(byte), byte))
        .chain(following)
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn byte_level_names_are_undone() {
        let tokenizer = Tokenizer::of_bytes();
        let text = "a é\n🦀\u{0}";
        let tokens = tokenizer.encode(text).expect("encodes");
        let bytes: Vec<_> = tokens
            .iter()
            .flat_map(|token| tokenizer.bytes(*token))
            .collect();
        assert_eq!(bytes, text.as_bytes());
        assert!(tokenizer.bytes(9_999).is_empty());
    }

    #[test]
    fn names_of_sentencepiece_are_undone() {
        assert_eq!(of("▁a▁b", None), b" a b");
        assert_eq!(of("<0xE2>", None), [0xe2]);
        assert_eq!(of("<0xQQ>", None), b"<0xQQ>");
    }
}
