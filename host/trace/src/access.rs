//! What traces know that hold no requests.

use crate::Digest;

/// One access of a cache, of which nothing is known but the key and the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// When it was, in milliseconds since the trace's own beginning of time; 0 where nobody noted
    /// it. Nothing says that times do not run backwards.
    pub at_ms: u64,
    /// What was accessed. A key that is no number is the short digest of its text.
    pub key: u64,
    /// Its size; 1 where the trace knows none.
    pub bytes: u64,
    /// Milliseconds that a hit saves; 1 where the trace knows none.
    pub cost_ms: u32,
}

impl Access {
    /// An access of a unit's size and cost.
    #[must_use]
    pub fn unit(key: u64) -> Self {
        Self {
            at_ms: 0,
            key,
            bytes: 1,
            cost_ms: 1,
        }
    }
}

/// A request whose prompt is known by the hashes of its blocks of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRequest {
    /// When it came, in milliseconds since the trace's own beginning of time.
    pub at_ms: u64,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// The hashes of the prompt's blocks. Equal hashes say that all blocks up to here are equal.
    pub blocks: Vec<u64>,
}

impl BlockRequest {
    /// The access of a cache of whole answers that this request is.
    ///
    /// The trace tells neither bytes nor times: both are put down in tokens, where 4 bytes are a
    /// token, and one that is generated takes as long as 20 ms.
    #[must_use]
    pub fn access(&self) -> Access {
        let lengths = [self.prompt_tokens, self.output_tokens].map(u32::to_le_bytes);
        let blocks: Vec<u8> = self.blocks.iter().flat_map(|b| b.to_le_bytes()).collect();
        Access {
            at_ms: self.at_ms,
            key: Digest::of_parts([&lengths[0][..], &blocks]).short(),
            bytes: 4 * (u64::from(self.prompt_tokens) + u64::from(self.output_tokens)).max(1),
            cost_ms: self.output_tokens.saturating_mul(20).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_the_same_blocks_are_the_same() {
        let request = |at_ms, blocks: &[u64]| BlockRequest {
            at_ms,
            prompt_tokens: 10,
            output_tokens: 2,
            blocks: blocks.to_vec(),
        };
        let (one, again) = (request(1, &[1, 2]).access(), request(9, &[1, 2]).access());
        assert_eq!(one.key, again.key);
        assert_eq!((one.bytes, one.cost_ms), (48, 40));
        assert_ne!(one.key, request(1, &[1, 3]).access().key);
    }
}
