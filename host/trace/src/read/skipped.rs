//! What could not be read and was passed over.

use std::{fmt, io, path::PathBuf};

/// A part of a trace that was passed over, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}{place}", path.display())]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// Why.
    #[source]
    pub reason: SkipReason,
}

/// Where in a file something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Whole,
    /// In this line, from 1.
    Line(u64),
    /// In this entry of a binary file, from 1.
    Entry(u64),
    /// From this line on, from 1.
    From(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Entry(entry) => write!(f, ", entry {entry}"),
            Self::From(line) => write!(f, ", from line {line} on"),
        }
    }
}

/// Why something was passed over.
#[derive(Debug, thiserror::Error)]
pub enum SkipReason {
    /// The system or the decompressor failed.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// The file ends in the middle of something.
    #[error("it is cut off")]
    CutOff,
    /// More than the reader takes.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The most bytes.
        limit: usize,
    },
    /// No JSON, or not of the expected form.
    #[error("it is no such JSON: {0}")]
    BadJson(serde_json::Error),
    /// The exchange is none with a model.
    #[error("it asks nothing of a model: {0}")]
    OtherRequest(String),
    /// The JSON object is none of a request to a model.
    #[error("it is a request of no API: it has no `messages`, `prompt` or `input`")]
    NoRequest,
    /// The body of the request is no JSON object.
    #[error("the request's body is not a JSON object")]
    NoBody,
    /// The file's format is of a version that this program does not know.
    #[error(
        "version {version} of the format is later than {}, the newest known",
        crate::format::VERSION
    )]
    LaterVersion {
        /// The version.
        version: u32,
    },
    /// The file begins as none that holds requests.
    #[error("its format is not known, or has no requests in it")]
    UnknownFormat,
    /// A field that should be there is not, or is no number.
    #[error("{0} is missing, or no whole number above 0")]
    BadField(String),
}

impl From<io::Error> for SkipReason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutOff,
            _ => Self::Unreadable(error),
        }
    }
}
