//! A body as it came, piece by piece.

use bytes::{Bytes, BytesMut};

/// Bytes under which a piece is copied to the ones before it: each takes memory of its own, and
/// keeps the buffer in which it came.
const SMALL: usize = 4 << 10;

/// Gathers the pieces of a body.
#[derive(Default)]
pub(crate) struct Pieces {
    whole: Vec<Bytes>,
    /// Small pieces that came one after the other.
    small: BytesMut,
}

impl Pieces {
    /// Takes the next piece. The first is never copied: most bodies have no other.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() < SMALL && !self.whole.is_empty() {
            self.small.extend_from_slice(&piece);
            return;
        }
        self.close();
        self.whole.push(piece);
    }

    /// All that came.
    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        self.close();
        self.whole
    }

    fn close(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(self.small.split().freeze());
        }
    }
}

/// The bytes of all pieces.
pub(crate) fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => {
            let mut all = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
            for piece in many {
                all.extend_from_slice(piece);
            }
            all.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_put_together_in_their_order() {
        let mut pieces = Pieces::default();
        let large = "x".repeat(SMALL);
        let sent = ["a", "b", "c", &large, "d"];
        for piece in sent {
            pieces.push(Bytes::copy_from_slice(piece.as_bytes()));
        }
        let kept = pieces.finish();
        assert_eq!(kept.len(), 4);
        assert_eq!(joined(&kept), sent.concat());
    }
}
