//! Segments of Deja's own format.

use std::path::Path;

use super::{SkipReason, Skipped, lines::Lines};
use crate::{
    Record,
    format::{Header, NAME, VERSION},
};

/// The records of one segment.
pub(super) struct Segment {
    lines: Lines,
    is_begun: bool,
}

impl Segment {
    pub(super) fn open(path: &Path, limit: usize) -> Result<Self, Skipped> {
        Ok(Self {
            lines: Lines::open(path, limit)?,
            is_begun: false,
        })
    }
}

impl Iterator for Segment {
    type Item = Result<Record, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.is_begun {
            self.is_begun = true;
            if let Err(skipped) = self.lines.next(|line| header(line).map(Some))? {
                self.lines.end();
                return Some(Err(skipped));
            }
        }
        self.lines.next(|line| match line {
            [] => Ok(None),
            line => serde_json::from_slice(line).map_err(SkipReason::BadJson),
        })
    }
}

fn header(line: &[u8]) -> Result<(), SkipReason> {
    let header: Header = serde_json::from_slice(line).map_err(SkipReason::BadJson)?;
    match header.version {
        _ if header.format != NAME => Err(SkipReason::UnknownFormat),
        1..=VERSION => Ok(()),
        version => Err(SkipReason::LaterVersion { version }),
    }
}
