//! Reads traces of many formats. What is broken is named, counted by whoever reads, and passed over.

mod accesses;
mod csv;
mod exchange;
mod guess;
mod lines;
mod own;
mod skipped;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use self::csv::{BadColumns, Columns};
pub use skipped::{Place, SkipReason, Skipped};

use crate::{Access, BlockRequest, Record};
use lines::Lines;

/// How deep folders may lie in folders.
const DEEPEST: usize = 4;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A segment of Deja's own.
    Segment,
    /// One request, alone or in an exchange, as JSON.
    Json,
    /// One request a line, alone or in an exchange or a list with prompts and outputs.
    JsonLines,
    /// One request a line, by the hashes of its prompt's blocks.
    Blocks,
    /// One key a line.
    Keys,
    /// Runs of blocks, as the ARC paper has them.
    Arc,
    /// libCacheSim's `oracleGeneral`.
    OracleGeneral,
    /// Comma-separated values.
    Csv,
}

/// How a trace is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The format, where it is not to be guessed.
    pub format: Option<Format>,
    /// The columns of comma-separated values.
    pub columns: Option<Columns>,
    /// The longest line or JSON file, in bytes.
    pub max_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            columns: None,
            max_bytes: 128 << 20,
        }
    }
}

/// A trace, by what it knows.
#[derive(Clone, Debug)]
pub enum Trace {
    /// Whole requests.
    Requests(Vec<RequestFile>),
    /// Requests by the hashes of their prompts' blocks.
    Blocks(BlockFile),
    /// Keys.
    Accesses(AccessFile),
}

/// Why there is no trace to be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or the folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// It.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder holds no file of a known kind.
    #[error("{} holds no trace: no `.json` and no `.jsonl` file", .0.display())]
    Empty(PathBuf),
    /// The file has no known form.
    #[error("{} is in no known format; name it", .0.display())]
    UnknownFormat(PathBuf),
    /// Comma-separated values, and nobody said which column holds the key.
    #[error("{} has columns; name them", .0.display())]
    NoColumns(PathBuf),
}

/// Opens a trace: a file of any known format, packed by zstd or gzip or not, or a folder, in which
/// all `.json` and `.jsonl` files are requests.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Trace, OpenError> {
    let unreadable = |source| OpenError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let request_file = |path: PathBuf, format| RequestFile {
        path,
        format,
        max_bytes: options.max_bytes,
    };
    if fs::metadata(path).map_err(unreadable)?.is_dir() {
        let mut files = Vec::new();
        collect(path, DEEPEST, &mut files).map_err(unreadable)?;
        files.sort();
        if files.is_empty() {
            return Err(OpenError::Empty(path.to_owned()));
        }
        let file = |path| request_file(path, options.format);
        return Ok(Trace::Requests(files.into_iter().map(file).collect()));
    }
    let format = match options.format {
        Some(format) => Some(format),
        None if options.columns.is_some() => Some(Format::Csv),
        None => guess::format(path, options.max_bytes).map_err(unreadable)?,
    };
    let format = format.ok_or_else(|| OpenError::UnknownFormat(path.to_owned()))?;
    let (path, max_bytes) = (path.to_owned(), options.max_bytes);
    Ok(match format {
        Format::Segment | Format::Json | Format::JsonLines => {
            Trace::Requests(vec![request_file(path, Some(format))])
        }
        Format::Blocks => Trace::Blocks(BlockFile { path, max_bytes }),
        Format::Csv if options.columns.is_none() => return Err(OpenError::NoColumns(path)),
        Format::Keys | Format::Arc | Format::OracleGeneral | Format::Csv => {
            Trace::Accesses(AccessFile {
                path,
                format,
                columns: options.columns.clone(),
                max_bytes,
            })
        }
    })
}

/// The files of a folder, and of those in it, whose names say that requests are in them.
fn collect(folder: &Path, deepest: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let item = item?;
        let path = item.path();
        if item.file_type()?.is_dir() {
            if deepest > 0 {
                collect(&path, deepest - 1, files)?;
            }
        } else if guess::holds_requests(&path) {
            files.push(path);
        }
    }
    Ok(())
}

type Items<T> = Box<dyn Iterator<Item = Result<T, Skipped>> + Send>;

/// A file of whole requests.
#[derive(Clone, Debug)]
pub struct RequestFile {
    path: PathBuf,
    format: Option<Format>,
    max_bytes: usize,
}

impl RequestFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its requests, in their order.
    #[must_use]
    pub fn records(&self) -> Items<Record> {
        self.read()
            .unwrap_or_else(|skipped| Box::new(std::iter::once(Err(skipped))))
    }

    fn read(&self) -> Result<Items<Record>, Skipped> {
        let (path, limit) = (&self.path, self.max_bytes);
        let format = match self.format {
            Some(format) => Some(format),
            None => guess::format(path, limit).map_err(|error| self.skipped(error.into()))?,
        };
        match format {
            Some(Format::Segment) => Ok(Box::new(own::Segment::open(path, limit)?)),
            Some(Format::Json) => {
                let read = self.json().map_err(|reason| self.skipped(reason));
                Ok(Box::new(std::iter::once(read)))
            }
            Some(Format::JsonLines) => {
                let mut lines = Lines::open(path, limit)?;
                Ok(Box::new(std::iter::from_fn(move || lines.next(json_line))))
            }
            _ => Err(self.skipped(SkipReason::UnknownFormat)),
        }
    }

    fn json(&self) -> Result<Record, SkipReason> {
        let json = lines::whole(&self.path, self.max_bytes)?;
        exchange::record(&json)
    }

    fn skipped(&self, reason: SkipReason) -> Skipped {
        Skipped {
            path: self.path.clone(),
            place: Place::Whole,
            reason,
        }
    }
}

fn json_line(line: &[u8]) -> Result<Option<Record>, SkipReason> {
    match line {
        [] => Ok(None),
        line => exchange::record(line).map(Some),
    }
}

/// A file of requests by the hashes of their prompts' blocks.
#[derive(Clone, Debug)]
pub struct BlockFile {
    path: PathBuf,
    max_bytes: usize,
}

impl BlockFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its requests, in their order.
    #[must_use]
    pub fn requests(&self) -> Items<BlockRequest> {
        items(Lines::open(&self.path, self.max_bytes).map(accesses::block_requests))
    }
}

/// A file that knows keys only.
#[derive(Clone, Debug)]
pub struct AccessFile {
    path: PathBuf,
    format: Format,
    columns: Option<Columns>,
    max_bytes: usize,
}

impl AccessFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its accesses, in their order.
    #[must_use]
    pub fn accesses(&self) -> Items<Access> {
        let lines = || Lines::open(&self.path, self.max_bytes);
        match (self.format, &self.columns) {
            (Format::OracleGeneral, _) => items(accesses::oracle_general(&self.path)),
            (Format::Csv, Some(columns)) => {
                items(lines().map(|lines| csv::accesses(lines, columns)))
            }
            (Format::Arc, _) => items(lines().map(accesses::arc)),
            _ => items(lines().map(accesses::keys)),
        }
    }
}

/// The items of a file, or the one word that there are none.
fn items<T: Send + 'static>(
    read: Result<impl Iterator<Item = Result<T, Skipped>> + Send + 'static, Skipped>,
) -> Items<T> {
    match read {
        Ok(items) => Box::new(items),
        Err(skipped) => Box::new(std::iter::once(Err(skipped))),
    }
}
