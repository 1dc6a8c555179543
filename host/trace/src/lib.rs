//! Recorded traffic: a format of our own, its recorder, and readers of that and of others.
//!
//! A [`Record`] is one request with all that became of it; [`format`] says how it is written.
//! A [`Recorder`] writes them beside the requests, [`open`] reads Deja's own traces and those of others.

#![forbid(unsafe_code)]

mod access;
mod digest;
pub mod format;
mod names;
mod read;
mod record;
mod recorder;
mod redact;

pub use access::{Access, BlockRequest};
pub use digest::{Digest, NotADigest};
pub use read::{
    AccessFile, BadColumns, BlockFile, Columns, Format, OpenError, Place, ReadOptions, RequestFile,
    SkipReason, Skipped, Trace, open,
};
pub use record::{EditCount, Record, TokenUsage};
pub use recorder::{Recorder, RecorderSettings, RecorderStatus};
pub use redact::{query_without_credentials, redacted_query};
