//! A streamed answer on its way from a backend, in the client's wire format, and the answer that is
//! recorded of it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deja_engine::Generation;
use deja_wire::{
    Answer, Event, EventDecoder, EventRecorder, Fragment, Frame, FrameKind, FrameReader,
    Incomplete, Recorder, payload,
};
use tracing::debug;

use super::{AnswerLimits, FetchError, limits::FRAME_BYTES, upstream::UpstreamBytes};
use crate::body::Outline;

/// Bytes of a frame from which on it is counted with the memory that its values take.
const LARGE_FRAME: usize = 4 << 10;

/// Time between two comments that are passed on: a client needs no more to see that the backend
/// lives, and each takes memory.
const COMMENT_PAUSE: Duration = Duration::from_secs(1);

/// The frames of a streamed answer.
pub(crate) struct Frames {
    source: Source,
    recording: Option<Recording>,
    /// Frames that were read and not handed out yet.
    waiting: VecDeque<Frame>,
    /// Bytes that the answer may still take.
    left: usize,
    limits: AnswerLimits,
    /// When a comment was last passed on.
    commented: Option<Instant>,
    ended: bool,
}

/// Where an answer comes from.
enum Source {
    /// From the engine, as events.
    Engine(Generation),
    /// From an upstream, as frames.
    Upstream {
        bytes: Box<UpstreamBytes>,
        reader: FrameReader,
    },
}

/// How an answer is passed on and recorded.
pub(super) enum Recording {
    /// The upstream speaks the client's API: its frames pass as they came.
    Verbatim(Box<Recorder>),
    /// Events are encoded for the client; where an upstream's frames are decoded to them first, by
    /// this decoder.
    Encoded(Box<EventRecorder>, Option<EventDecoder>),
}

impl Recording {
    fn finish(self) -> Result<Answer, Fragment> {
        match self {
            Self::Verbatim(recorder) => recorder.finish(),
            Self::Encoded(recorder, _) => recorder.finish(),
        }
    }
}

impl Frames {
    /// Returns the frames of what the engine generates.
    pub(super) fn of_engine(
        generation: Generation,
        recorder: Box<EventRecorder>,
        limits: AnswerLimits,
    ) -> Self {
        let recording = Recording::Encoded(recorder, None);
        Self::new(Source::Engine(generation), recording, limits)
    }

    /// Returns the frames of an upstream.
    pub(super) fn of_upstream(
        bytes: UpstreamBytes,
        recording: Recording,
        limits: AnswerLimits,
    ) -> Self {
        let reader = FrameReader::new(limits.bytes);
        let bytes = Box::new(bytes);
        Self::new(Source::Upstream { bytes, reader }, recording, limits)
    }

    fn new(source: Source, recording: Recording, limits: AnswerLimits) -> Self {
        Self {
            source,
            recording: Some(recording),
            waiting: VecDeque::new(),
            left: limits.bytes,
            limits,
            commented: None,
            ended: false,
        }
    }

    /// Returns the next frame; `None` once the backend has sent all.
    pub(crate) async fn next(&mut self) -> Option<Result<Frame, FetchError>> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Some(Ok(frame));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read_on().await {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }

    /// Returns the answer that the frames so far make. Nothing after them is recorded.
    ///
    /// # Errors
    /// Says why it is not to be stored.
    pub(crate) fn finish(&mut self) -> Result<Answer, Fragment> {
        let recording = self.recording.take();
        recording.map_or_else(|| Err(Incomplete::NoEnd.into()), Recording::finish)
    }

    /// Reads what a backend still sends after its answer's end, so that its connection can serve
    /// again.
    pub(crate) async fn exhaust(&mut self) {
        match &mut self.source {
            Source::Engine(generation) => while let Some(Ok(_)) = generation.next().await {},
            Source::Upstream { bytes, .. } => while let Some(Ok(_)) = bytes.next().await {},
        }
    }

    async fn read_on(&mut self) -> Result<(), FetchError> {
        match &mut self.source {
            Source::Engine(generation) => {
                let event = generation.next().await.transpose()?;
                self.ended = event.is_none();
                event.map_or(Ok(()), |event| self.encode(&[event]))
            }
            Source::Upstream { bytes, .. } => {
                let bytes = bytes.next().await.transpose()?;
                self.read_frames(bytes)
            }
        }
    }

    /// Takes in the frames in an upstream's next bytes, or in those that are left at its end.
    fn read_frames(&mut self, bytes: Option<Bytes>) -> Result<(), FetchError> {
        let limit = self.limits.bytes;
        let Source::Upstream { reader, .. } = &mut self.source else {
            return Ok(());
        };
        let mut frames = Vec::new();
        let count = bytes.as_ref().map_or(0, Bytes::len);
        if let Some(bytes) = bytes {
            reader.push(bytes);
            let too_large = |_| FetchError::TooLarge { limit };
            while let Some(frame) = reader.next_frame().map_err(too_large)? {
                frames.push(frame);
            }
        } else {
            self.ended = true;
            let reader = std::mem::replace(reader, FrameReader::new(limit));
            frames.extend(reader.finish().map(|rest| ended(&rest)));
        }
        self.count(count)?;
        frames.into_iter().try_for_each(|frame| self.take_in(frame))
    }

    /// Takes in an upstream's frame, whose bytes are counted already.
    fn take_in(&mut self, frame: Bytes) -> Result<(), FetchError> {
        let is_comment = is_comment(&frame);
        if is_comment && (frame.trim_ascii().is_empty() || !self.may_comment()) {
            return Ok(());
        }
        if frame.len() >= LARGE_FRAME {
            self.count(Outline::of(&frame).parsed_bytes - frame.len())?;
        }
        match &mut self.recording {
            Some(Recording::Verbatim(recorder)) => {
                let kind = recorder.push(&frame);
                self.hand_out(Frame { bytes: frame, kind }, 0)
            }
            Some(Recording::Encoded(recorder, _)) if is_comment => {
                let heartbeat = recorder.heartbeat();
                self.hand_out(heartbeat, 0)
            }
            Some(Recording::Encoded(_, Some(decoder))) => {
                let events = decoder.frame(&frame);
                self.encode(&events)
            }
            Some(Recording::Encoded(_, None)) | None => Ok(()),
        }
    }

    /// Takes in events.
    fn encode(&mut self, events: &[Event]) -> Result<(), FetchError> {
        for event in events {
            if let Event::Dropped { part } = event {
                debug!(part, "left out, as it has no form in the client's API");
            }
            let Some(Recording::Encoded(recorder, _)) = &mut self.recording else {
                return Ok(());
            };
            for frame in recorder.push(event) {
                if frame.kind != FrameKind::Quiet || self.may_comment() {
                    let bytes = frame.bytes.len();
                    self.hand_out(frame, bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a frame to those that wait for the client; so many of its bytes are not counted yet.
    fn hand_out(&mut self, frame: Frame, bytes: usize) -> Result<(), FetchError> {
        self.count(FRAME_BYTES + bytes)?;
        self.waiting.push_back(frame);
        Ok(())
    }

    /// Counts bytes of memory that the answer takes.
    fn count(&mut self, bytes: usize) -> Result<(), FetchError> {
        let limit = self.limits.bytes;
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(FetchError::TooLarge { limit })?;
        self.limits.take(bytes)
    }

    /// Returns whether a comment passes now, which none does soon after another.
    fn may_comment(&mut self) -> bool {
        let last = self.commented;
        let passes = last.is_none_or(|last| last.elapsed() >= COMMENT_PAUSE);
        if passes {
            self.commented = Some(Instant::now());
        }
        passes
    }
}

/// Returns whether a frame holds comments or blank lines alone.
fn is_comment(frame: &[u8]) -> bool {
    matches!(frame, [b':' | b'\r' | b'\n', ..]) && payload(frame).is_none()
}

/// Returns a frame that lacks the blank line at its end with it: without, no client would see it.
fn ended(frame: &Bytes) -> Bytes {
    [frame.trim_ascii_end(), b"\n\n"].concat().into()
}
