//! BLAKE3 over parts.

/// A digest of parts, each with its length, so that no two lists of parts run together.
pub(crate) struct Digest(blake3::Hasher);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The hasher, for one last part that comes in pieces.
    pub(crate) fn into_hasher(self) -> blake3::Hasher {
        self.0
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
