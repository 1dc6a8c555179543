//! The recorder's thread: gathers records into blocks, and writes each when it is full or old.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use tracing::warn;

use super::{Counts, RecorderSettings, retention, segment::Segment};
use crate::Record;

/// Bytes of a block before it is packed. A larger one packs better: in an agent's session each
/// request repeats the one before.
const BLOCK_BYTES: usize = 4 << 20;

/// Time between two looks for segments that are too old.
const TIDY_PAUSE: Duration = Duration::from_mins(1);

/// What the thread is asked to do.
pub(super) enum Message {
    /// Take a record.
    Record(Job),
    /// Write what it has, and then tell.
    Flush(SyncSender<()>),
}

/// A record to be made and written.
pub(super) struct Job {
    pub(super) bytes: usize,
    pub(super) make: Box<dyn FnOnce() -> Record + Send>,
}

pub(super) struct Worker {
    settings: RecorderSettings,
    counts: Arc<Counts>,
    segment: Option<Segment>,
    block: Block,
    /// When old segments were looked for.
    tidied: Option<Instant>,
}

/// Records that are not written yet.
#[derive(Default)]
struct Block {
    lines: Vec<u8>,
    records: u64,
    /// When the first one came.
    begun: Option<Instant>,
}

impl Worker {
    pub(super) fn new(settings: RecorderSettings, counts: Arc<Counts>) -> Self {
        Self {
            settings,
            counts,
            segment: None,
            block: Block::default(),
            tidied: None,
        }
    }

    /// Works until nobody can send any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let patience = match self.block.begun {
                Some(begun) => self.settings.flush.saturating_sub(begun.elapsed()),
                None => self.settings.flush,
            };
            let received = messages.recv_timeout(patience);
            let is_over = matches!(received, Err(RecvTimeoutError::Disconnected));
            match received {
                Ok(Message::Record(job)) => self.take(job),
                Ok(Message::Flush(done)) => {
                    self.write();
                    // Whoever asked may have left.
                    let _ = done.send(());
                }
                Err(_) => self.write(),
            }
            if self.block.lines.len() >= BLOCK_BYTES || self.is_due() {
                self.write();
            }
            self.tidy();
            if is_over {
                return;
            }
        }
    }

    fn is_due(&self) -> bool {
        let begun = self.block.begun;
        begun.is_some_and(|begun| begun.elapsed() >= self.settings.flush)
    }

    fn take(&mut self, job: Job) {
        let mut record = (job.make)();
        if !self.settings.bodies {
            record = record.without_bodies();
        }
        let begin = self.block.lines.len();
        serde_json::to_writer(&mut self.block.lines, &record).expect("memory takes every record");
        one_line(&mut self.block.lines[begin..]);
        self.block.lines.push(b'\n');
        self.block.records += 1;
        self.block.begun.get_or_insert_with(Instant::now);
        let waiting = &self.counts.waiting_bytes;
        waiting.fetch_sub(job.bytes, Ordering::Relaxed);
    }

    /// Writes the block, if anything is in it. One that cannot be written is dropped: what comes
    /// after it matters more than memory that fills up.
    fn write(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.records == 0 {
            return;
        }
        let written = match &mut self.segment {
            Some(segment) => segment.append(&block.lines),
            None => self.begin(&block.lines),
        };
        let counts = &self.counts;
        match written {
            Ok(bytes) => {
                counts.written.fetch_add(block.records, Ordering::Relaxed);
                counts.bytes.fetch_add(bytes, Ordering::Relaxed);
                *counts.error.lock() = None;
            }
            Err(error) => {
                self.segment = None;
                counts.dropped.fetch_add(block.records, Ordering::Relaxed);
                let error = error.to_string();
                // Told once, not with every block.
                if counts.error.lock().replace(error.clone()).is_none() {
                    let dir = self.settings.dir.display();
                    warn!(%dir, error, "the trace cannot be written; requests go on");
                }
            }
        }
    }

    fn begin(&mut self, lines: &[u8]) -> io::Result<u64> {
        let (segment, bytes) = Segment::begin(&self.settings, lines)?;
        self.segment = Some(segment);
        Ok(bytes)
    }

    /// Ends a segment that is full or old, and lets old ones leave.
    fn tidy(&mut self) {
        let is_done = |segment: &mut Segment| segment.is_done(&self.settings);
        let ended = self.segment.take_if(is_done).is_some();
        let is_recent = |tidied: Instant| tidied.elapsed() < TIDY_PAUSE;
        if self.tidied.is_some_and(is_recent) && !ended {
            return;
        }
        self.tidied = Some(Instant::now());
        let current = self.segment.as_ref().map(Segment::path);
        if let Err(error) = retention::prune(&self.settings, current) {
            warn!(%error, "old segments of the trace cannot be removed");
        }
    }
}

/// Makes one line of JSON, in which a line break is white space wherever it can stand.
fn one_line(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pretty_body_stands_in_one_line() {
        let mut json = b"{\r\n  \"a\": \"x\\ny\"\n}".to_vec();
        one_line(&mut json);
        assert_eq!(json, b"{    \"a\": \"x\\ny\" }");
    }
}
