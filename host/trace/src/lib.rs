//! Recorded traffic: a format of our own, its recorder, and readers of that and of others.

#![forbid(unsafe_code)]

mod access;
mod digest;
pub mod format;
mod names;
mod record;

pub use access::{Access, BlockRequest};
pub use digest::{Digest, NotADigest};
pub use record::{EditCount, Record, TokenUsage};
