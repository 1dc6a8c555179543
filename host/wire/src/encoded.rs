//! Frames of a stream as they are encoded from events.

use bytes::Bytes;

use crate::{FrameKind, slot::Slot};

/// A frame of a stream in a client's wire format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its bytes, the blank line at its end included.
    pub bytes: Bytes,
    /// What it is to the answer.
    pub kind: FrameKind,
}

/// A frame as an encoder gives it.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The frame, the blank line at its end included.
    pub(crate) text: String,
    /// What it is to the answer.
    pub(crate) kind: FrameKind,
    /// Where its ids and times stand.
    pub(crate) slots: Slots,
}

/// Where the ids and the time of one reply stand in a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slots {
    /// It has none.
    None,
    /// The reply's id and time stand here, and nothing else.
    Known([Slot; 2]),
    /// They have to be searched for.
    Unknown,
}

impl Encoded {
    /// Returns a frame of the answer that holds no id and no time.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            kind: FrameKind::Content,
            slots: Slots::None,
        }
    }

    /// Returns a frame of the answer that may hold ids.
    pub(crate) fn with_ids(text: impl Into<String>) -> Self {
        Self {
            slots: Slots::Unknown,
            ..Self::plain(text)
        }
    }

    /// Returns the same frame as one of this kind.
    pub(crate) fn of_kind(self, kind: FrameKind) -> Self {
        Self { kind, ..self }
    }
}
