//! Texts that are written again and again, each time with other ids and another time.

use crate::{
    Fresh,
    front_coding::{self, encode},
    slot::{Piece, Slot},
};

/// Pieces of text with slots in them, each piece coded by its difference to the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    coded: Box<[u8]>,
    /// The slots that a piece does not get, filled already, from the one before it. They lie where
    /// they are in the whole text.
    slots: Box<[Slot]>,
    /// Bytes of the whole text.
    length: usize,
}

/// A template in the making.
#[derive(Debug, Default)]
pub(crate) struct TemplateBuilder {
    coded: Vec<u8>,
    slots: Vec<Slot>,
    length: usize,
    previous: Vec<u8>,
}

impl TemplateBuilder {
    /// Adds a piece at the end.
    pub(crate) fn push(&mut self, piece: Piece) {
        let Piece { text, slots } = piece;
        let shared = encode(&self.previous, &text, &mut self.coded);
        let own = slots
            .into_iter()
            .filter(|slot| !shared.covers(&slot.range(), text.len()));
        self.slots.extend(own.map(|slot| Slot {
            at: self.length + slot.at,
            ..slot
        }));
        self.length += text.len();
        self.previous = text;
    }

    pub(crate) fn finish(self) -> Template {
        Template {
            coded: self.coded.into(),
            slots: self.slots.into(),
            length: self.length,
        }
    }
}

impl Template {
    /// A template of one piece.
    pub(crate) fn of(piece: Piece) -> Self {
        let mut builder = TemplateBuilder::default();
        builder.push(piece);
        builder.finish()
    }

    /// Appends the text, its slots filled. A piece is filled before the next one copies from it.
    pub(crate) fn render(&self, fresh: &Fresh, out: &mut Vec<u8>) {
        let begin = out.len();
        let mut slots = self.slots.iter().peekable();
        let mut coded = &self.coded[..];
        let mut place = begin..begin;
        while !coded.is_empty() {
            place = front_coding::decode(&mut coded, place, out);
            while let Some(slot) = slots.next_if(|slot| begin + slot.at < out.len()) {
                slot.fill.write(fresh, &mut out[begin + slot.at..]);
            }
        }
    }

    /// Bytes of the text.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Bytes of memory that it occupies beside its own fields.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.coded.len() + size_of_val(&*self.slots)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::value::RawValue;

    use super::*;
    use crate::{
        Endpoint,
        slot::{Ids, Spot},
    };

    /// Texts and ids that share beginnings and ends with each other, and do not.
    fn pieces() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
        const TEXTS: &[&str] = &["", "a", "ab", "b"];
        const IDS: &[&str] = &["", "call_1", "call_2", "toolu_3"];
        vec((select(TEXTS), select(IDS)), 0..12)
    }

    fn piece(ids: &mut Ids, text: &str, id: &str) -> Piece {
        let json = format!(r#"["{text}","{id}","{text}"]"#);
        let values: Vec<&RawValue> = serde_json::from_str(&json).expect("it is a list");
        ids.substitute_all(json.as_bytes(), &[Spot::Tool(values[1])])
    }

    fn filled(piece: &Piece, fresh: &Fresh) -> Vec<u8> {
        let mut text = piece.text.clone();
        for slot in &piece.slots {
            slot.fill.write(fresh, &mut text[slot.at..]);
        }
        text
    }

    proptest! {
        #[test]
        fn pieces_are_written_with_their_own_slots(pieces in pieces()) {
            let (mut ids, fresh) = (Ids::new(Endpoint::ChatCompletions), Fresh::new());
            let (mut builder, mut expected) = (TemplateBuilder::default(), Vec::new());
            for (text, id) in pieces {
                let piece = piece(&mut ids, text, id);
                expected.extend(filled(&piece, &fresh));
                builder.push(piece);
            }
            let template = builder.finish();
            let mut written = b"before".to_vec();
            template.render(&fresh, &mut written);
            prop_assert_eq!(&written[6..], &expected[..]);
            prop_assert_eq!(template.length(), expected.len());
        }
    }
}
