//! A request's headers as keyers see them: what was read is noted.

use std::sync::Arc;

use parking_lot::Mutex;

/// Looks up a header; the cache knows no HTTP.
pub trait Headers: Send + Sync {
    /// The first value of the header of this name, where it is text and no secret.
    fn get(&self, name: &str) -> Option<&str>;
}

/// A request without headers.
#[derive(Clone, Copy, Debug)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// A header that a keyer read, and what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRead {
    /// The name it asked for.
    pub name: Box<str>,
    /// The value it got.
    pub value: Option<Box<str>>,
}

/// Headers that note what was read of them.
pub(crate) struct WatchedHeaders {
    headers: Arc<dyn Headers>,
    read: Mutex<Vec<HeaderRead>>,
}

impl WatchedHeaders {
    pub(crate) fn new(headers: Arc<dyn Headers>) -> Self {
        Self {
            headers,
            read: Mutex::default(),
        }
    }

    /// What was read so far, each header once.
    pub(crate) fn read(&self) -> Vec<HeaderRead> {
        self.read.lock().clone()
    }
}

impl Headers for WatchedHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name);
        let mut read = self.read.lock();
        if !read.iter().any(|seen| &*seen.name == name) {
            read.push(HeaderRead {
                name: name.into(),
                value: value.map(Into::into),
            });
        }
        value
    }
}
