//! A streamed answer on its way from a backend, in the client's wire format.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deja_wire::{
    Api, FrameReader, frame, payload,
    translate::{ChatToMessages, MessagesToChat},
};
use serde_json::Value;

use super::{
    AnswerLimits, FetchError, engine::EngineEvents, limits::FRAME_BYTES, upstream::UpstreamBytes,
};
use crate::body::Outline;

/// Bytes of a frame from which on it is counted with the memory that its values take.
const LARGE_FRAME: usize = 4 << 10;

/// Time between two comments that are passed on: a client needs no more to see that the backend
/// lives, and each takes memory.
const COMMENT_PAUSE: Duration = Duration::from_secs(1);

/// The frames of a streamed answer.
pub(crate) struct Frames {
    bytes: ByteSource,
    reader: FrameReader,
    translation: Translation,
    /// Frames that were read and not handed out yet.
    waiting: VecDeque<Bytes>,
    /// Bytes that the answer may still take.
    left: usize,
    limits: AnswerLimits,
    /// When a comment was last passed on.
    commented: Option<Instant>,
    ended: bool,
}

enum ByteSource {
    Engine(EngineEvents),
    Upstream(UpstreamBytes),
}

impl ByteSource {
    async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
        match self {
            Self::Engine(events) => events.next().await,
            Self::Upstream(bytes) => bytes.next().await,
        }
    }
}

impl Frames {
    pub(super) fn of_engine(
        events: EngineEvents,
        translation: Translation,
        limits: AnswerLimits,
    ) -> Self {
        Self::new(ByteSource::Engine(events), translation, limits)
    }

    pub(super) fn of_upstream(
        bytes: UpstreamBytes,
        translation: Translation,
        limits: AnswerLimits,
    ) -> Self {
        Self::new(ByteSource::Upstream(bytes), translation, limits)
    }

    fn new(bytes: ByteSource, translation: Translation, limits: AnswerLimits) -> Self {
        Self {
            bytes,
            reader: FrameReader::new(limits.bytes),
            translation,
            waiting: VecDeque::new(),
            left: limits.bytes,
            limits,
            commented: None,
            ended: false,
        }
    }

    /// The next frame; `None` once the backend has said all.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
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

    /// Reads what a backend still has to say after its answer's end, so that its connection can
    /// serve again.
    pub(crate) async fn exhaust(&mut self) {
        while let Some(Ok(_)) = self.bytes.next().await {}
    }

    async fn read_on(&mut self) -> Result<(), FetchError> {
        let limit = self.limits.bytes;
        let Some(bytes) = self.bytes.next().await.transpose()? else {
            self.ended = true;
            let reader = std::mem::replace(&mut self.reader, FrameReader::new(limit));
            return match reader.finish() {
                Some(rest) => self.take_in(ended(&rest)),
                None => Ok(()),
            };
        };
        self.count(bytes.len())?;
        self.reader.push(bytes);
        let too_large = |_| FetchError::TooLarge { limit };
        while let Some(frame) = self.reader.next_frame().map_err(too_large)? {
            self.take_in(frame)?;
        }
        Ok(())
    }

    /// Takes in a frame, whose bytes are counted already.
    fn take_in(&mut self, frame: Bytes) -> Result<(), FetchError> {
        if is_comment(&frame) && !self.passes_comment(&frame) {
            return Ok(());
        }
        if frame.len() >= LARGE_FRAME {
            self.count(Outline::of(&frame).parsed_bytes - frame.len())?;
        }
        let is_translated = !matches!(self.translation, Translation::None);
        for frame in self.translation.of_frame(frame) {
            let copied = if is_translated { frame.len() } else { 0 };
            self.count(FRAME_BYTES + copied)?;
            self.waiting.push_back(frame);
        }
        Ok(())
    }

    /// Counts bytes of memory that the answer takes.
    fn count(&mut self, bytes: usize) -> Result<(), FetchError> {
        let limit = self.limits.bytes;
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(FetchError::TooLarge { limit })?;
        self.limits.take(bytes)
    }

    /// Whether a comment is passed on: not a blank line, and not soon after another.
    fn passes_comment(&mut self, comment: &[u8]) -> bool {
        let soon = self
            .commented
            .is_some_and(|last| last.elapsed() < COMMENT_PAUSE);
        let passes = !soon && !comment.trim_ascii().is_empty();
        if passes {
            self.commented = Some(Instant::now());
        }
        passes
    }
}

/// Whether a frame holds comments or blank lines alone.
fn is_comment(frame: &[u8]) -> bool {
    matches!(frame, [b':' | b'\r' | b'\n', ..]) && payload(frame).is_none()
}

/// From the backend's wire format to the client's.
pub(crate) enum Translation {
    /// They are the same.
    None,
    /// The backend speaks `OpenAI`'s, the client Anthropic's.
    ToMessages(ChatToMessages),
    /// The backend speaks Anthropic's, the client `OpenAI`'s.
    ToChat(MessagesToChat),
}

impl Translation {
    /// Into this API from the other one, if it is another.
    pub(crate) fn of(into: Option<Api>) -> Self {
        match into {
            None => Self::None,
            Some(Api::Anthropic) => Self::ToMessages(ChatToMessages::new()),
            Some(Api::OpenAi) => Self::ToChat(MessagesToChat::new()),
        }
    }

    /// The client's frames for one of the backend's.
    fn of_frame(&mut self, source: Bytes) -> Vec<Bytes> {
        if matches!(self, Self::None) {
            return vec![source];
        }
        let Some(text) = payload(&source) else {
            return self.sign_of_life();
        };
        if text.trim_ascii() == b"[DONE]" {
            return self.end();
        }
        match serde_json::from_slice(&text) {
            Ok(payload) => self.of_payload(&payload),
            // What is not JSON breaks the stream in any format, and is passed on to show.
            Err(_) => vec![source],
        }
    }

    /// For one of the backend's frames that says nothing, but perhaps how far it is.
    fn sign_of_life(&self) -> Vec<Bytes> {
        let api = match self {
            Self::None | Self::ToChat(_) => Api::OpenAi,
            Self::ToMessages(_) => Api::Anthropic,
        };
        vec![Bytes::from_static(api.sign_of_life().as_bytes())]
    }

    /// The client's frames for one of the backend's payloads.
    pub(crate) fn of_payload(&mut self, payload: &Value) -> Vec<Bytes> {
        match self {
            Self::None => Vec::new(),
            Self::ToMessages(translator) => framed(Api::Anthropic, &translator.push(payload)),
            Self::ToChat(translator) => {
                let mut frames = framed(Api::OpenAi, &translator.push(payload));
                let ends = payload
                    .get("type")
                    .is_some_and(|kind| kind == "message_stop");
                if ends && translator.is_finished() {
                    frames.push(Bytes::from_static(Api::OpenAi.stream_end().as_bytes()));
                }
                frames
            }
        }
    }

    /// What is left to say once the backend has said that its answer is whole.
    pub(crate) fn end(&mut self) -> Vec<Bytes> {
        match self {
            Self::ToMessages(translator) => framed(Api::Anthropic, &translator.finish()),
            Self::None | Self::ToChat(_) => Vec::new(),
        }
    }
}

/// A frame that lacks the blank line at its end, with it: without, no client would see it.
fn ended(frame: &Bytes) -> Bytes {
    [frame.trim_ascii_end(), b"\n\n"].concat().into()
}

fn framed(api: Api, payloads: &[Value]) -> Vec<Bytes> {
    payloads.iter().map(|payload| frame(api, payload)).collect()
}
