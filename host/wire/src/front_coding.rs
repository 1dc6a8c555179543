//! Front coding, at both ends: a text is told by how many bytes it shares with the start and the
//! end of the one before it, and by what stands between. Frames of a stream differ in a few bytes.
//!
//! Front coding is described in Witten, Moffat and Bell, *Managing Gigabytes*, 1999, section 4.1.

use std::ops::Range;

use unsigned_varint as varint;

/// How much of a text is in the text before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Bytes at the start.
    start: usize,
    /// Bytes at the end.
    end: usize,
}

impl Shared {
    fn between(previous: &[u8], next: &[u8]) -> Self {
        let same = |(one, other): &(&u8, &u8)| one == other;
        let start = previous.iter().zip(next).take_while(same).count();
        let (previous, next) = (&previous[start..], &next[start..]);
        let backwards = previous.iter().rev().zip(next.iter().rev());
        let end = backwards.take_while(same).count();
        Self { start, end }
    }

    /// Whether a part of a text of `length` bytes is shared as a whole.
    pub(crate) fn covers(self, part: &Range<usize>, length: usize) -> bool {
        part.end <= self.start || part.start >= length - self.end
    }
}

/// Appends what is left of `next` after `previous`.
pub(crate) fn encode(previous: &[u8], next: &[u8], coded: &mut Vec<u8>) -> Shared {
    let shared = Shared::between(previous, next);
    let middle = &next[shared.start..next.len() - shared.end];
    for number in [shared.start, shared.end, middle.len()] {
        coded.extend_from_slice(varint::encode::usize(
            number,
            &mut varint::encode::usize_buffer(),
        ));
    }
    coded.extend_from_slice(middle);
    shared
}

/// Takes the next text from `coded` and appends it to `texts`, where the one before it stands at
/// `previous`. Returns where it stands.
pub(crate) fn decode(
    coded: &mut &[u8],
    previous: Range<usize>,
    texts: &mut Vec<u8>,
) -> Range<usize> {
    let at = texts.len();
    let (start, end, length) = (number(coded), number(coded), number(coded));
    let (middle, rest) = coded.split_at(length);
    texts.extend_from_within(previous.start..previous.start + start);
    texts.extend_from_slice(middle);
    texts.extend_from_within(previous.end - end..previous.end);
    *coded = rest;
    at..texts.len()
}

fn number(coded: &mut &[u8]) -> usize {
    let (number, rest) = varint::decode::usize(coded).expect("it was written by `encode`");
    *coded = rest;
    number
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn what_is_decoded_was_encoded(texts in vec("[ab]{0,6}", 0..8)) {
            let (mut coded, mut previous) = (Vec::new(), "");
            for text in &texts {
                encode(previous.as_bytes(), text.as_bytes(), &mut coded);
                previous = text;
            }
            let (mut left, mut decoded, mut place) = (&coded[..], Vec::new(), 0..0);
            for text in &texts {
                place = decode(&mut left, place, &mut decoded);
                prop_assert_eq!(&decoded[place.clone()], text.as_bytes());
            }
            prop_assert!(left.is_empty());
        }
    }

    #[test]
    fn only_the_difference_is_kept() {
        let mut coded = Vec::new();
        let shared = encode(b"data: one;\n\n", b"data: two;\n\n", &mut coded);
        assert_eq!(coded.len(), 3 + "two".len());
        assert!(shared.covers(&(0..6), 12));
        assert!(shared.covers(&(9..12), 12));
        assert!(!shared.covers(&(5..7), 12));
    }
}
