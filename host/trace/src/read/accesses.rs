//! Traces that know keys only.

use std::{
    io::BufRead,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Place, SkipReason, Skipped,
    lines::{Lines, unpacked},
};
use crate::{Access, BlockRequest, Digest};

/// The most accesses that one line of an ARC trace may stand for.
const MOST_BLOCKS: u64 = 1 << 20;

/// A key: a number as it is, a text by its digest.
pub(super) fn key(text: &[u8]) -> u64 {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| Digest::of(text).short())
}

/// One key a line.
pub(super) fn keys(mut lines: Lines) -> impl Iterator<Item = Result<Access, Skipped>> + Send {
    std::iter::from_fn(move || {
        lines.next(|line| Ok((!line.is_empty()).then(|| Access::unit(key(line)))))
    })
}

/// The traces of the ARC paper: a line is the first block, the number of blocks, a field to be
/// ignored, and the request's number.
pub(super) fn arc(mut lines: Lines) -> impl Iterator<Item = Result<Access, Skipped>> + Send {
    let mut run = 0..0;
    std::iter::from_fn(move || {
        while run.is_empty() {
            match lines.next(blocks)? {
                Ok(blocks) => run = blocks,
                Err(skipped) => return Some(Err(skipped)),
            }
        }
        run.next().map(|block| Ok(Access::unit(block)))
    })
}

fn blocks(line: &[u8]) -> Result<Option<Range<u64>>, SkipReason> {
    let mut fields = line
        .split(u8::is_ascii_whitespace)
        .filter(|f| !f.is_empty());
    let mut number = |name: &str| {
        let field = fields.next().and_then(|field| str::from_utf8(field).ok());
        let number = field.and_then(|field| field.parse::<u64>().ok());
        number.ok_or_else(|| SkipReason::BadField(name.to_owned()))
    };
    if line.is_empty() {
        return Ok(None);
    }
    let (first, count) = (number("the first block")?, number("the number of blocks")?);
    let end = first
        .checked_add(count)
        .filter(|_| (1..=MOST_BLOCKS).contains(&count));
    let end = end.ok_or_else(|| SkipReason::BadField("the number of blocks".to_owned()))?;
    Ok(Some(first..end))
}

/// The binary format `oracleGeneral` of libCacheSim: packed entries of 24 bytes, little-endian. Each
/// is a time in seconds (4 bytes), a key (8), a size (4), and the next access (8), which is of no
/// use here.
pub(super) fn oracle_general(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Access, Skipped>> + Send + use<>, Skipped> {
    let path = path.to_owned();
    let mut reader = unpacked(&path).map_err(|error| Skipped {
        path: path.clone(),
        place: Place::Whole,
        reason: error.into(),
    })?;
    let (mut number, mut ended) = (0, false);
    Ok(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        number += 1;
        let entry = entry(&mut *reader);
        ended = matches!(entry, Ok(None)) || entry.as_ref().is_err_and(is_last);
        entry
            .transpose()
            .map(|entry| entry.map_err(|reason| skipped_entry(&path, number, reason)))
    }))
}

fn skipped_entry(path: &Path, number: u64, reason: SkipReason) -> Skipped {
    Skipped {
        path: PathBuf::from(path),
        place: Place::Entry(number),
        reason,
    }
}

/// Whether nothing can be read after this.
fn is_last(reason: &SkipReason) -> bool {
    matches!(reason, SkipReason::CutOff | SkipReason::Unreadable(_))
}

fn entry(reader: &mut dyn BufRead) -> Result<Option<Access>, SkipReason> {
    let mut entry = [0; 24];
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    reader.read_exact(&mut entry)?;
    let number = |range: Range<usize>| {
        let bytes = entry[range].iter().rev();
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    match number(12..16) {
        0 => Err(SkipReason::BadField("the size".to_owned())),
        bytes => Ok(Some(Access {
            at_ms: number(0..4) * 1000,
            key: number(4..12),
            bytes,
            cost_ms: 1,
        })),
    }
}

/// Requests by the hashes of their prompts' blocks, as JSON Lines.
pub(super) fn block_requests(
    mut lines: Lines,
) -> impl Iterator<Item = Result<BlockRequest, Skipped>> + Send {
    std::iter::from_fn(move || lines.next(block_request))
}

fn block_request(line: &[u8]) -> Result<Option<BlockRequest>, SkipReason> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        timestamp: f64,
        #[serde(default)]
        input_length: u32,
        #[serde(default)]
        output_length: u32,
        hash_ids: Vec<u64>,
    }
    if line.is_empty() {
        return Ok(None);
    }
    let line: Line = serde_json::from_slice(line).map_err(SkipReason::BadJson)?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time below zero is none, and a cast saturates"
    )]
    let at_ms = line.timestamp as u64;
    Ok(Some(BlockRequest {
        at_ms,
        prompt_tokens: line.input_length,
        output_tokens: line.output_length,
        blocks: line.hash_ids,
    }))
}
