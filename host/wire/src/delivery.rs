//! The forms in which an answer can be delivered.

/// The form in which a client wants its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON document when the answer is whole.
    #[default]
    Whole,
    /// Server-sent events, piece by piece.
    Stream {
        /// Whether the last event tells the token counts.
        usage: bool,
    },
}
