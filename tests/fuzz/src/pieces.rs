//! Cuts bytes as a network may.

/// The longest piece that [`cut`] makes.
const LONGEST: u64 = 64;

/// Cuts bytes into pieces of lengths that depend on the bytes, so that an input needs no part that
/// says where to cut.
pub fn cut(bytes: &[u8]) -> Vec<&[u8]> {
    let seed = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let (mut state, mut rest, mut pieces) = (seed | 1, bytes, Vec::new());
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = usize::try_from(1 + state % LONGEST).unwrap_or(1);
        let (piece, left) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}
