//! A segment in the making.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use super::RecorderSettings;
use crate::format::{Header, NAME, SEGMENT, VERSION};

/// How hard blocks are packed: zstd's own default.
const LEVEL: i32 = 3;

/// A file that is appended to, frame by frame.
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    /// Bytes of whole frames.
    bytes: u64,
    begun: Instant,
}

impl Segment {
    /// Begins a segment with these lines; returns how many bytes it has.
    pub(super) fn begin(settings: &RecorderSettings, lines: &[u8]) -> io::Result<(Self, u64)> {
        let begun_ms = next_ms();
        let header = Header {
            format: NAME.to_owned(),
            version: VERSION,
            writer: concat!("deja ", env!("CARGO_PKG_VERSION")).to_owned(),
            begun_ms,
            bodies: settings.bodies,
        };
        let mut block = serde_json::to_vec(&header)?;
        block.push(b'\n');
        block.extend_from_slice(lines);
        let (file, path) = create(&settings.dir, begun_ms)?;
        let mut segment = Self {
            file,
            path,
            bytes: 0,
            begun: Instant::now(),
        };
        let bytes = segment.append(&block)?;
        Ok((segment, bytes))
    }

    /// Appends a frame with these lines; returns its bytes. After an error the segment is as it was
    /// before, and must not be appended to.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<u64> {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        let frame = compressor.compress(lines)?;
        if let Err(error) = self.file.write_all(&frame) {
            self.undo();
            return Err(error);
        }
        self.bytes += frame.len() as u64;
        Ok(frame.len() as u64)
    }

    /// Cuts a frame off that was not written whole. Where that fails as well, readers find the end
    /// of the whole frames themselves.
    fn undo(&self) {
        let _ = match self.bytes {
            0 => fs::remove_file(&self.path),
            bytes => self.file.set_len(bytes),
        };
    }

    /// Whether another one should be begun. That is long before the limits of all segments together
    /// are reached: only whole ones can leave.
    pub(super) fn is_done(&self, settings: &RecorderSettings) -> bool {
        self.bytes >= settings.max_segment_bytes.min(settings.max_bytes / 4)
            || self.begun.elapsed() >= settings.max_age / 4
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The time now, and later than any that this process took before: a segment's name is its own, and
/// the names are in order.
fn next_ms() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = deja_cache::now_ms();
    let next = |last: u64| now.max(last + 1);
    next(LAST.update(Ordering::Relaxed, Ordering::Relaxed, next))
}

/// Creates a segment's file, which nobody else may read: prompts are in it.
fn create(dir: &Path, begun_ms: u64) -> io::Result<(File, PathBuf)> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let mut options = OpenOptions::new();
    options.append(true).create_new(true).mode(0o600);
    let (begin, end) = SEGMENT;
    let path = dir.join(format!("{begin}{begun_ms:013}-{}{end}", process::id()));
    Ok((options.open(&path)?, path))
}
