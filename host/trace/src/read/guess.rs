//! Which format a file has, by its name and its first bytes.

use std::{
    io::{self, BufRead, Read},
    path::Path,
};

use serde::{Deserialize, de::IgnoredAny};

use super::{Format, lines::unpacked};
use crate::format::NAME;

/// Bytes of a file that are looked at, where its first line is longer.
const LOOKED_AT: u64 = 64 << 10;

/// A file's name without what says how it is packed.
fn name(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let packed = [".zst", ".gz"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    packed.unwrap_or(&name).to_owned()
}

fn ends(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| end == extension)
}

/// Whether a file's name says that it holds requests.
pub(super) fn holds_requests(path: &Path) -> bool {
    let name = name(path);
    ends(&name, "json") || ends(&name, "jsonl")
}

/// The format of a file; none if it has no known one.
pub(super) fn format(path: &Path, max_bytes: usize) -> io::Result<Option<Format>> {
    let name = name(path);
    if ends(&name, "json") {
        return Ok(Some(Format::Json));
    }
    if ends(&name, "csv") {
        return Ok(Some(Format::Csv));
    }
    if ends(&name, "lis") {
        return Ok(Some(Format::Arc));
    }
    if name.contains("oraclegeneral") {
        return Ok(Some(Format::OracleGeneral));
    }
    let mut reader = unpacked(path)?;
    if reader
        .fill_buf()?
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        != Some(&b'{')
    {
        let mut begin = Vec::new();
        reader.take(LOOKED_AT).read_to_end(&mut begin)?;
        return Ok(plain(&begin));
    }
    let mut line = Vec::new();
    reader.take(max_bytes as u64).read_until(b'\n', &mut line)?;
    Ok(Some(json(&line)))
}

/// The format of a file whose first line is this JSON.
fn json(line: &[u8]) -> Format {
    #[derive(Deserialize)]
    struct Line {
        format: Option<String>,
        hash_ids: Option<IgnoredAny>,
    }
    match serde_json::from_slice::<Line>(line) {
        Ok(line) if line.format.as_deref() == Some(NAME) => Format::Segment,
        Ok(line) if line.hash_ids.is_some() => Format::Blocks,
        // It goes on in the next line.
        Err(error) if error.is_eof() => Format::Json,
        Ok(_) | Err(_) => Format::JsonLines,
    }
}

/// The format of a file that begins with these bytes and holds no JSON.
fn plain(begin: &[u8]) -> Option<Format> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let line = begin
        .split(|byte| *byte == b'\n')
        .find(|line| !line.trim_ascii().is_empty())?;
    if !line.iter().all(is_text) {
        return None;
    }
    let fields: Vec<_> = line.trim_ascii().split(u8::is_ascii_whitespace).collect();
    let is_number = |field: &&[u8]| field.iter().all(u8::is_ascii_digit);
    match &fields[..] {
        [field] if field.contains(&b',') => Some(Format::Csv),
        [_] => Some(Format::Keys),
        [_, _, _, _] if fields.iter().all(is_number) => Some(Format::Arc),
        _ => None,
    }
}
