//! Lets old segments leave.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::RecorderSettings;
use crate::format::SEGMENT;

/// Removes the oldest segments until the rest is within the limits. The one in the making stays.
pub(super) fn prune(settings: &RecorderSettings, current: Option<&Path>) -> io::Result<()> {
    let segments = segments(&settings.dir)?;
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    for segment in segments {
        let age = segment.written.elapsed().unwrap_or_default();
        let is_current = current == Some(&*segment.path);
        if !is_current && (bytes > settings.max_bytes || age > settings.max_age) {
            fs::remove_file(&segment.path)?;
            bytes -= segment.bytes;
        }
    }
    Ok(())
}

struct Found {
    path: PathBuf,
    bytes: u64,
    written: SystemTime,
}

/// The segments of a folder, oldest first: their names tell.
fn segments(dir: &Path) -> io::Result<Vec<Found>> {
    let (begin, end) = SEGMENT;
    let mut segments = Vec::new();
    let items = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(segments),
        items => items?,
    };
    for item in items {
        let item = item?;
        let name = item.file_name();
        let is_segment = name
            .to_str()
            .is_some_and(|name| name.starts_with(begin) && name.ends_with(end));
        if is_segment {
            let metadata = item.metadata()?;
            segments.push(Found {
                path: item.path(),
                bytes: metadata.len(),
                written: metadata.modified()?,
            });
        }
    }
    segments.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(segments)
}
