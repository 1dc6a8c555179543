//! Records traffic, and never holds a request up.

mod retention;
mod segment;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;

use crate::Record;
use worker::{Job, Message, Worker};

/// Records that may wait to be written. More are dropped.
const MOST_WAITING: usize = 1024;

/// Bytes of requests and answers that may wait to be written.
const MOST_WAITING_BYTES: usize = 128 << 20;

/// Where and how traffic is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderSettings {
    /// The folder of the segments. It need not exist yet.
    pub dir: PathBuf,
    /// The most bytes of all segments; the oldest leave.
    pub max_bytes: u64,
    /// How long a segment is kept.
    pub max_age: Duration,
    /// The most bytes of one segment.
    pub max_segment_bytes: u64,
    /// Time after which a record is readable, busy or not.
    pub flush: Duration,
    /// Whether the bodies of requests and answers are written.
    pub bodies: bool,
}

/// How the recording goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderStatus {
    /// Records that were written.
    pub written: u64,
    /// Records that were not: the disk is full, or slower than the traffic.
    pub dropped: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Why the last write failed, if it did.
    pub error: Option<String>,
}

/// Writes records from a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Recorder {
    messages: Option<SyncSender<Message>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    bytes: AtomicU64,
    waiting_bytes: AtomicUsize,
    error: Mutex<Option<String>>,
}

impl Recorder {
    /// Starts to record. A folder that cannot be written to is no error here: it may be there
    /// later, and the status tells.
    pub fn start(settings: RecorderSettings) -> io::Result<Self> {
        let (messages, queue) = sync_channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        let worker = Worker::new(settings, counts.clone());
        let thread = thread::Builder::new()
            .name("trace-recorder".to_owned())
            .spawn(move || worker.run(&queue))?;
        Ok(Self {
            messages: Some(messages),
            counts,
            thread: Some(thread),
        })
    }

    /// Writes a record that `make` makes on the recorder's thread. It never waits: where too much is
    /// waiting already the record is dropped, and counted. `bytes` is what `make` holds in memory.
    pub fn record(&self, bytes: usize, make: impl FnOnce() -> Record + Send + 'static) {
        let counts = &self.counts;
        let waiting = counts.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let job = Job {
            bytes,
            make: Box::new(make),
        };
        // One that is alone is taken, however large it is.
        let has_room = waiting == 0 || waiting.saturating_add(bytes) <= MOST_WAITING_BYTES;
        let messages = self.messages.as_ref().filter(|_| has_room);
        let sent = messages.map(|messages| messages.try_send(Message::Record(job)));
        if !matches!(sent, Some(Ok(()))) {
            counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written that was recorded before.
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        if let Some(messages) = &self.messages
            && messages.send(Message::Flush(done)).is_ok()
        {
            // It fails when the thread is gone; then nothing more is written.
            let _ = written.recv();
        }
    }

    /// How the recording goes.
    #[must_use]
    pub fn status(&self) -> RecorderStatus {
        let counts = &self.counts;
        RecorderStatus {
            written: counts.written.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            error: counts.error.lock().clone(),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The thread ends when it has written what is waiting.
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
