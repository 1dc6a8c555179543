//! Deja's own format, version 1.
//!
//! A trace is a folder of *segments*, `trace-<milliseconds since the epoch>-<process>.jsonl.zst`,
//! which are only ever appended to. A segment is a row of [zstd] frames with checksums, so
//! `zstdcat trace-*.jsonl.zst | jq` reads it. Unpacked it is JSON Lines in UTF-8:
//!
//! 1. the [`Header`], in every segment: `{"format":"deja-trace","version":1,…}`,
//! 2. after it one [`Record`](crate::Record) a line, in the order in which the requests ended.
//!
//! A line never spans two frames. Whoever is cut off in writing leaves at most one unfinished frame,
//! at the segment's end; a new process begins a new segment. Readers take whatever frames are
//! whole, and so can read a segment that grows.
//!
//! New fields may be added to version 1, and readers pass over those they do not know. Whatever an
//! older reader would misunderstand takes a new version, which it refuses.
//!
//! Not JSON with a binary body beside it: bodies are JSON already, and stand in a line as they
//! came. zstd finds what they share, which in agents' sessions is almost everything.
//!
//! [zstd]: https://www.rfc-editor.org/rfc/rfc8878

use serde::{Deserialize, Serialize};

/// The newest version, and the only one so far.
pub const VERSION: u32 = 1;

/// What the header calls the format.
pub const NAME: &str = "deja-trace";

/// How the name of a segment begins, and ends.
pub const SEGMENT: (&str, &str) = ("trace-", ".jsonl.zst");

/// A segment's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`NAME`].
    pub format: String,
    /// The version by which the other lines are read.
    pub version: u32,
    /// The program that wrote it.
    pub writer: String,
    /// When the segment was begun, in milliseconds since the Unix epoch.
    pub begun_ms: u64,
    /// Whether bodies are in it.
    pub bodies: bool,
}
