//! Reads a trace for a replay.

use std::{collections::HashMap, fs::File, io, path::Path};

use deja_cache::KeyerChain;
use deja_trace::{Digest, OpenError, Record, RequestFile, Skipped, Trace};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    asked::Asked,
    workload::{BadTrace, Workload},
};

/// Parts that were passed over and are told of one by one.
const SKIPPED_SHOWN: usize = 10;

/// Why there is nothing to replay.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The trace cannot be opened.
    #[error("the trace cannot be opened")]
    Open(#[from] OpenError),
    /// The trace cannot be read for its digest.
    #[error("the trace cannot be read")]
    Read(#[from] io::Error),
    /// Nothing in the trace could be read.
    #[error("nothing in the trace could be read: {0}")]
    Broken(String),
    /// What was read makes no sense.
    #[error("the trace cannot be replayed")]
    Bad(#[from] BadTrace),
    /// A trace of keys, and keyers that are to make others.
    #[error("the trace holds keys and no requests, so no keyer can be asked")]
    NoRequests,
}

/// What a trace is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFacts {
    /// Where it lies.
    pub path: String,
    /// BLAKE3 of its file; of a folder, of the digests of its files.
    pub blake3: String,
    /// Requests, or accesses.
    pub requests: u64,
    /// Requests that are all different.
    pub distinct: u64,
    /// Bytes of one answer to each.
    pub distinct_bytes: u64,
    /// When the first came, in the trace's own time.
    pub from_ms: u64,
    /// When the last came.
    pub to_ms: u64,
    /// Parts that could not be read and were passed over.
    pub skipped: u64,
    /// The first of them, with the reasons.
    pub skipped_first: Vec<String>,
}

impl TraceFacts {
    /// Whether answers have sizes of their own, and do not all count as one byte.
    pub(super) fn knows_sizes(&self) -> bool {
        self.distinct_bytes != self.distinct
    }
}

/// What is replayed.
pub(super) enum Source {
    /// Requests, of which each keyer makes a workload of its own.
    Requests(Vec<Asked>),
    /// Keys.
    Keys(Workload),
}

/// Reads a trace: requests under the keys of these keyers, keys as they are.
pub(super) fn read(
    path: &Path,
    trace: Trace,
    keyers: &[KeyerChain],
) -> Result<(Source, TraceFacts), SourceError> {
    let blake3 = digest(&trace)?;
    let mut skips = Skips::default();
    let source = match trace {
        Trace::Requests(files) => requests(&files, keyers, &mut skips).map(Source::Requests),
        Trace::Blocks(file) => {
            Workload::of_blocks(skips.pass_over(file.requests())).map(Source::Keys)
        }
        Trace::Accesses(file) => {
            Workload::of_accesses(skips.pass_over(file.accesses())).map(Source::Keys)
        }
    };
    let source = source.map_err(|error| skips.explain(error))?;
    let facts = source.facts(path, blake3, skips);
    Ok((source, facts))
}

/// The requests of all files, in the order of their times: a server records them as they end.
fn requests(
    files: &[RequestFile],
    keyers: &[KeyerChain],
    skips: &mut Skips,
) -> Result<Vec<Asked>, BadTrace> {
    let records = files.iter().flat_map(RequestFile::records);
    // In parallel, and yet in order: by their numbers.
    let ask = |record: Record| Asked::new(&record, keyers);
    let mut read: Vec<_> = records
        .enumerate()
        .par_bridge()
        .map(|(number, record)| (number, record.map(ask)))
        .collect();
    read.sort_unstable_by_key(|(number, _)| *number);
    let read = read.into_iter().map(|(_, asked)| asked);
    let mut asked: Vec<_> = skips.pass_over(read).collect();
    asked.sort_by_key(|request| request.at_ms);
    if asked.is_empty() {
        return Err(BadTrace::Empty);
    }
    Ok(asked)
}

impl Source {
    fn facts(&self, path: &Path, blake3: String, skips: Skips) -> TraceFacts {
        let facts: Vec<(u64, u64, u64)> = match self {
            Self::Requests(asked) => {
                let bytes = |asked: &Asked| asked.keyed.first().map_or(0, |keyed| keyed.bytes);
                let facts = asked.iter().map(|a| (a.at_ms, a.exact, bytes(a)));
                facts.collect()
            }
            Self::Keys(workload) => {
                let requests = workload.requests.iter();
                let facts = requests.map(|r| (r.at_ms, u64::from(r.key), r.bytes));
                facts.collect()
            }
        };
        let distinct: HashMap<_, _> = facts.iter().map(|(_, key, bytes)| (key, bytes)).collect();
        TraceFacts {
            path: path.display().to_string(),
            blake3,
            requests: facts.len() as u64,
            distinct: distinct.len() as u64,
            distinct_bytes: distinct.into_values().sum(),
            from_ms: facts.first().map_or(0, |(at_ms, ..)| *at_ms),
            to_ms: facts.last().map_or(0, |(at_ms, ..)| *at_ms),
            skipped: skips.count,
            skipped_first: skips.first,
        }
    }
}

fn digest(trace: &Trace) -> io::Result<String> {
    let file = |path: &Path| {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut File::open(path)?, &mut hasher)?;
        io::Result::Ok(hasher.finalize())
    };
    Ok(match trace {
        Trace::Blocks(trace) => file(trace.path())?.to_string(),
        Trace::Accesses(trace) => file(trace.path())?.to_string(),
        Trace::Requests(files) => match &files[..] {
            [single] => file(single.path())?.to_string(),
            files => {
                let files = files.iter().map(|trace| file(trace.path()));
                let digests: Vec<_> = files.collect::<io::Result<_>>()?;
                Digest::of_parts(digests.iter().map(|hash| &hash.as_bytes()[..])).to_string()
            }
        },
    })
}

/// What was passed over.
#[derive(Default)]
struct Skips {
    count: u64,
    first: Vec<String>,
}

impl Skips {
    /// The items that could be read; the others are counted.
    fn pass_over<T>(
        &mut self,
        items: impl Iterator<Item = Result<T, Skipped>>,
    ) -> impl Iterator<Item = T> {
        items.filter_map(|item| item.map_err(|skipped| self.add(&skipped)).ok())
    }

    fn add(&mut self, skipped: &Skipped) {
        self.count += 1;
        if self.first.len() < SKIPPED_SHOWN {
            self.first.push(format!("{skipped}: {}", skipped.reason));
        }
    }

    /// Nothing may be left because all was passed over.
    fn explain(&self, error: BadTrace) -> SourceError {
        match self.first.first() {
            Some(first) if error == BadTrace::Empty => SourceError::Broken(first.clone()),
            _ => error.into(),
        }
    }
}
