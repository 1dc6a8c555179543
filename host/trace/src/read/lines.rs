//! Files line by line: unpacked, and never more than a bounded part of one in memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{Place, SkipReason, Skipped};

const BUFFER_BYTES: usize = 256 << 10;

/// Opens a file, which may be packed by zstd or gzip.
pub(super) fn unpacked(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    Ok(match file.fill_buf()? {
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            let decoder = zstd::Decoder::with_buffer(file)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
        [0x1F, 0x8B, ..] => {
            let decoder = MultiGzDecoder::new(file);
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
        _ => Box::new(file),
    })
}

/// The lines of a file. None longer than `limit` is ever held.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    limit: usize,
    line: Vec<u8>,
    number: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn open(path: &Path, limit: usize) -> Result<Self, Skipped> {
        let reader = unpacked(path).map_err(|error| Skipped {
            path: path.to_owned(),
            place: Place::Whole,
            reason: error.into(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            limit,
            line: Vec::new(),
            number: 0,
            ended: false,
        })
    }

    /// What the next line that says something says.
    pub(super) fn next<T>(
        &mut self,
        mut parse: impl FnMut(&[u8]) -> Result<Option<T>, SkipReason>,
    ) -> Option<Result<T, Skipped>> {
        while !self.ended {
            let parsed = match self.read() {
                Ok(false) => return None,
                Ok(true) => parse(self.line.trim_ascii()),
                Err(reason) => Err(reason),
            };
            match parsed {
                Ok(None) => {}
                Ok(Some(item)) => return Some(Ok(item)),
                Err(reason) => return Some(Err(self.skipped(reason))),
            }
        }
        None
    }

    /// Ends the reading: the rest is of no use.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Reads the next line; `false` at the end.
    fn read(&mut self) -> Result<bool, SkipReason> {
        self.line.clear();
        self.number += 1;
        let most = self.limit as u64 + 1;
        let read = (&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut self.line)
            .inspect_err(|_| self.ended = true)?;
        if read == 0 {
            self.ended = true;
            return Ok(false);
        }
        if read > self.limit && !self.line.ends_with(b"\n") {
            self.pass_over()?;
            return Err(SkipReason::TooLong { limit: self.limit });
        }
        Ok(true)
    }

    /// Leaves the rest of a line out.
    fn pass_over(&mut self) -> Result<(), SkipReason> {
        self.line = Vec::new();
        let passed = self.reader.skip_until(b'\n');
        passed.inspect_err(|_| self.ended = true)?;
        Ok(())
    }

    fn skipped(&self, reason: SkipReason) -> Skipped {
        let place = if self.ended {
            Place::From(self.number)
        } else {
            Place::Line(self.number)
        };
        Skipped {
            path: self.path.clone(),
            place,
            reason,
        }
    }
}

/// A whole file, if it is no longer than `limit`.
pub(super) fn whole(path: &Path, limit: usize) -> Result<Vec<u8>, SkipReason> {
    let mut bytes = Vec::new();
    let most = limit as u64 + 1;
    unpacked(path)?.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(SkipReason::TooLong { limit });
    }
    Ok(bytes)
}
