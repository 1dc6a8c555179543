//! One file of the plugin folder: when it is whole, when it is new, what becomes of it.
//!
//! A file may be written in pieces, so it is read when two looks in a row find the same, and found
//! fault with only when it has not changed for longer: what does not parse may still be on its way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{PluginError, chain};
use crate::host::{PluginHost, Replacement};
use crate::source;

/// Time for which a file must not change before it is read.
const SETTLED: Duration = Duration::from_millis(50);

/// Time for which a file must not change before it is found fault with.
const FINAL: Duration = Duration::from_millis(500);

/// A plugin's file, which need not be there.
pub(crate) struct PluginFile {
    slot: usize,
    path: PathBuf,
    seen: Option<Seen>,
    /// The content that was found fault with, which is said once.
    rejected: Option<blake3::Hash>,
}

/// What the last look found.
struct Seen {
    stamp: Stamp,
    since: Instant,
    /// No more to be done while the stamp stays.
    done: bool,
}

/// What changes when a file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// What a file turns out to be.
enum Verdict {
    /// It changed while it was read.
    Unfinished,
    /// What is loaded already.
    Loaded,
    /// What was found fault with already.
    Rejected,
    /// A policy that works.
    New(Replacement),
    /// Nothing that can be used.
    Bad {
        hash: Option<blake3::Hash>,
        error: PluginError,
    },
}

impl PluginFile {
    pub(crate) fn new(slot: usize, dir: &Path, name: &str, now: Instant) -> Self {
        let path = source::path(dir, name);
        let seen = stamp(&path).map(|stamp| Seen {
            stamp,
            since: now,
            done: false,
        });
        Self {
            slot,
            path,
            seen,
            rejected: None,
        }
    }

    /// Whether a notice about these paths is about this file. One about nothing is about all.
    pub(crate) fn concerns(&self, paths: &[PathBuf]) -> bool {
        // Not the whole path: macOS tells it with its symbolic links resolved.
        let same = |path: &PathBuf| path.file_name() == self.path.file_name();
        paths.is_empty() || paths.iter().any(same)
    }

    /// Takes note that the file may have changed, whatever its stamp says.
    pub(crate) fn changed(&mut self) {
        self.seen = None;
    }

    /// Looks at the file, loads it if it is new and whole, and says when to look again if it may
    /// be on its way.
    pub(crate) fn look(
        &mut self,
        host: &PluginHost,
        now: Instant,
        on_change: &dyn Fn(Replacement),
    ) -> Option<Instant> {
        let Some(stamp) = stamp(&self.path) else {
            self.gone(host);
            return None;
        };
        let seen = match &mut self.seen {
            Some(seen) if seen.stamp == stamp => seen,
            seen => seen.insert(Seen {
                stamp,
                since: now,
                done: false,
            }),
        };
        if seen.done {
            return None;
        }
        let since = seen.since;
        if now < since + SETTLED {
            return Some(since + SETTLED);
        }
        let verdict = self.judge(host, stamp);
        if let Verdict::Bad { .. } = verdict
            && now < since + FINAL
        {
            return Some(since + FINAL);
        }
        if let Verdict::Unfinished = verdict {
            self.changed();
            return Some(now + SETTLED);
        }
        self.seen = Some(Seen {
            stamp,
            since,
            done: true,
        });
        self.act(host, verdict, on_change);
        None
    }

    /// Reads the file, and makes a policy of it if it is new.
    fn judge(&self, host: &PluginHost, stamp: Stamp) -> Verdict {
        let artifact = match host.read(self.slot, &self.path) {
            Ok(artifact) => artifact,
            Err(error) => return Verdict::Bad { hash: None, error },
        };
        let hash = artifact.hash;
        if self::stamp(&self.path) != Some(stamp) {
            Verdict::Unfinished
        } else if hash == host.loaded(self.slot) {
            Verdict::Loaded
        } else if Some(hash) == self.rejected {
            Verdict::Rejected
        } else {
            match host.replace(self.slot, &artifact) {
                Ok(replacement) => Verdict::New(replacement),
                Err(error) => Verdict::Bad {
                    hash: Some(hash),
                    error,
                },
            }
        }
    }

    fn act(&mut self, host: &PluginHost, verdict: Verdict, on_change: &dyn Fn(Replacement)) {
        let path = self.path.display();
        match verdict {
            Verdict::Unfinished | Verdict::Rejected => {}
            Verdict::Loaded => self.forget_rejected(host),
            Verdict::New(replacement) => {
                self.rejected = None;
                tracing::info!(%path, "plugin loaded");
                on_change(replacement);
            }
            Verdict::Bad { hash, error } => {
                self.rejected = hash;
                host.reject(self.slot, &error);
                tracing::error!(%path, error = chain(&error), "plugin not loaded; the last good one stays");
            }
        }
    }

    fn gone(&mut self, host: &PluginHost) {
        if self.seen.take().is_some() {
            self.forget_rejected(host);
            tracing::info!(path = %self.path.display(), "plugin file is gone; its plugin stays loaded");
        }
    }

    fn forget_rejected(&mut self, host: &PluginHost) {
        self.rejected = None;
        host.forget_rejected(self.slot);
    }
}

/// `None` for a file that is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
    })
}
