//! Keyers that ask for the same edits of every request, whether they can be made or not.

use crate::keyer_with_data;

/// An edit, as a keyer asks for it.
#[derive(Clone, Copy, Debug)]
pub enum Edit<'a> {
    /// Take the value at this pointer out.
    Remove(&'a str),
    /// Put this text in its place, as if it were JSON.
    Replace(&'a str, &'a str),
    /// Replace these bytes of the string at this pointer by nothing.
    Rewrite(&'a str, u32, u32),
}

/// Where the edits lie in the keyer's memory.
const EDITS: u32 = 8192;

/// Bytes of one edit: its rule, its kind, and at most a pointer, two numbers and a text.
const EDIT_BYTES: u32 = 36;

/// A keyer that asks for these edits of every request.
#[must_use]
pub fn keyer_that_edits(edits: &[Edit<'_>]) -> Vec<u8> {
    let count = u32::try_from(edits.len()).expect("they are few");
    let (mut records, mut texts) = (Vec::new(), Vec::new());
    for edit in edits {
        let mut place = |text: &str| {
            let start = EDITS + count * EDIT_BYTES + length(&texts);
            texts.extend_from_slice(text.as_bytes());
            [start, length(text.as_bytes())]
        };
        let [pointer, bytes] = place(edit.pointer());
        let rest = match *edit {
            Edit::Remove(_) => [0; 4],
            Edit::Replace(_, json) => {
                let [json, bytes] = place(json);
                [json, bytes, 0, 0]
            }
            Edit::Rewrite(_, start, end) => [start, end, 0, 0],
        };
        let words = [[0, 0, edit.kind(), pointer, bytes].as_slice(), &rest].concat();
        records.extend(words.into_iter().flat_map(u32::to_le_bytes));
    }
    let instructions = format!(
        "(i32.store offset=1032 (i32.const 0) (i32.const {EDITS}))
         (i32.store offset=1036 (i32.const 0) (i32.const {count}))
         (call $drop (local.get $request))
         (return (i32.const 1024))"
    );
    keyer_with_data(EDITS, &[records, texts].concat(), &instructions)
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("it is short")
}

impl<'a> Edit<'a> {
    fn pointer(&self) -> &'a str {
        match self {
            Self::Remove(pointer) | Self::Replace(pointer, _) | Self::Rewrite(pointer, ..) => {
                pointer
            }
        }
    }

    /// The case of the contract's variant.
    fn kind(self) -> u32 {
        match self {
            Self::Remove(_) => 0,
            Self::Replace(..) => 1,
            Self::Rewrite(..) => 2,
        }
    }
}
