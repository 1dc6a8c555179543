//! An answer that comes from a backend, and its way to one client.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use deja_cache::{FlightError, Stored};
use deja_wire::{Api, Delivery, FrameKind, Fresh, messages, openai, responses};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::{HeaderMap, body::Frame};
use tokio::time::{Instant, timeout};

use crate::{
    backend::FetchError,
    error::Error,
    fetch::{Follower, Landing, Progress},
    reply::{self, BrokenOff, Reply},
    tally::Tally,
};

/// How long a client is kept waiting.
#[derive(Clone, Copy)]
pub(crate) struct Waits {
    /// For a backend to begin, before a stream's head is sent all the same: from then on its
    /// refusal can only be an event.
    pub(crate) head: Duration,
    /// For more of a stream, before a sign of life.
    pub(crate) keep_alive: Duration,
}

/// An answer that comes from a backend, as far as it has to be before its reply can begin. A
/// failure up to here gets a status of its own, or another try.
pub(crate) struct Arrival {
    headers: Arc<HeaderMap>,
    content: Content,
}

enum Content {
    /// It is all there, for one who wants a document.
    Document(Landing),
    /// It is all there, for one who wants a stream.
    Replay(Landing, bool),
    /// It begins.
    Live(Box<Live>),
}

impl Arrival {
    /// Waits for as much of the flight's answer as this delivery needs, or for as long as a stream's
    /// head can wait.
    pub(crate) async fn of(
        mut flight: Follower,
        delivery: Delivery,
        api: Api,
        waits: Waits,
    ) -> Result<Self, Error> {
        let mut headers = Arc::default();
        let content = match delivery {
            Delivery::Whole => {
                if let Some(Progress::Begun {
                    headers: theirs, ..
                }) = flight.next().await?
                {
                    headers = theirs;
                }
                Content::Document(landed(&mut flight).await?)
            }
            Delivery::Stream { usage } => {
                let first = match first(&mut flight, &mut headers, waits).await? {
                    First::Frame(frame, kind) => Some((frame, kind)),
                    First::Late => None,
                    First::End => {
                        let content = match landed(&mut flight).await? {
                            odd @ Landing::Odd { .. } => Content::Document(odd),
                            landing => Content::Replay(landing, usage),
                        };
                        return Ok(Self { headers, content });
                    }
                };
                Content::Live(Box::new(Live {
                    first,
                    begun: false,
                    rest: flight,
                    usage,
                    api,
                    keep_alive: waits.keep_alive,
                    tally: None,
                }))
            }
        };
        Ok(Self { headers, content })
    }

    /// The same without the backend's own headers: they speak of the request that led.
    pub(crate) fn without_headers(self) -> Self {
        Self {
            headers: Arc::default(),
            ..self
        }
    }

    /// Whether the answer is known to be held now.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(
            &self.content,
            Content::Document(landing) | Content::Replay(landing, _) if landing.is_stored()
        )
    }

    /// The reply, which goes on as the answer does.
    pub(crate) fn reply(self, mut tally: Tally) -> Reply {
        let mut reply = match self.content {
            Content::Document(landing) => {
                let document = landing.document();
                tally.landed(&landing, &document);
                reply::json(document)
            }
            Content::Replay(landing, usage) => {
                let stream = landing.stream(usage);
                tally.landed(&landing, &stream);
                reply::event_stream(reply::whole(stream))
            }
            Content::Live(mut live) => {
                live.tally = Some(tally);
                let body = StreamBody::new(stream::unfold(Some(live), Live::step));
                reply::event_stream(body.boxed_unsync())
            }
        };
        reply::add(&mut reply, &self.headers);
        reply
    }
}

/// What a stream's head has waited for.
enum First {
    /// The answer's first frame.
    Frame(Bytes, FrameKind),
    /// The end: the answer came as a document.
    End,
    /// Nothing yet, and the client waits no longer.
    Late,
}

/// Waits for the first frame: until the backend has begun, as its status may still be an error, and
/// then until the client needs a sign of life.
async fn first(
    flight: &mut Follower,
    headers: &mut Arc<HeaderMap>,
    waits: Waits,
) -> Result<First, FlightError<FetchError>> {
    let started = Instant::now();
    match timeout(waits.head, flight.next()).await {
        Err(_) => return Ok(First::Late),
        Ok(step) => match step? {
            Some(Progress::Begun {
                headers: theirs, ..
            }) => *headers = theirs,
            Some(Progress::Frame(frame, kind)) => return Ok(First::Frame(frame, kind)),
            None => return Ok(First::End),
        },
    }
    let left = waits.keep_alive.saturating_sub(started.elapsed());
    match timeout(left, begin(flight, headers)).await {
        Err(_) => Ok(First::Late),
        Ok(first) => Ok(first?.map_or(First::End, |(frame, kind)| First::Frame(frame, kind))),
    }
}

/// Waits for the first frame; `None` if the answer came as a document.
async fn begin(
    flight: &mut Follower,
    headers: &mut Arc<HeaderMap>,
) -> Result<Option<(Bytes, FrameKind)>, FlightError<FetchError>> {
    loop {
        match flight.next().await? {
            Some(Progress::Begun {
                headers: theirs, ..
            }) => *headers = theirs,
            Some(Progress::Frame(frame, kind)) => return Ok(Some((frame, kind))),
            None => return Ok(None),
        }
    }
}

/// Waits for the end of an answer of which nothing was passed on yet.
async fn landed(flight: &mut Follower) -> Result<Landing, Error> {
    match flight.land().await? {
        Landing::Partial { error, .. }
        | Landing::Odd {
            document: None,
            error,
        } => Err(Error::Fetch(error)),
        landing => Ok(landing),
    }
}

impl Landing {
    fn is_stored(&self) -> bool {
        matches!(
            self,
            Self::Whole {
                stored: Some(Stored::Yes),
                ..
            }
        )
    }

    /// The document, as it came where it came as one.
    fn document(&self) -> Bytes {
        match self {
            Self::Whole {
                document: Some(document),
                ..
            }
            | Self::Odd {
                document: Some(document),
                ..
            } => document.clone(),
            Self::Whole { answer, .. } => answer.document(&Fresh::new()),
            Self::Odd { .. } | Self::Partial { .. } => Bytes::new(),
        }
    }

    /// The stream that says the same.
    fn stream(&self, usage: bool) -> Bytes {
        match self {
            Self::Whole { answer, .. } => answer.stream(&Fresh::new(), usage).unwrap_or_default(),
            Self::Odd { .. } | Self::Partial { .. } => Bytes::new(),
        }
    }
}

impl Tally {
    /// The answer came to its end, whose `last` bytes the client is about to see.
    fn landed(&mut self, landing: &Landing, last: &[u8]) {
        self.passed(last.len());
        match landing {
            Landing::Whole { answer, .. } => {
                self.whole(answer);
                self.keep_response(last);
                self.ended();
            }
            Landing::Odd { document, .. } => {
                if let Some(document) = document {
                    self.odd(document);
                }
                self.ended();
            }
            Landing::Partial { error, .. } => self.broke_off(error.to_string()),
        }
    }
}

/// A stream on its way to a client.
struct Live {
    /// The first frame, if it is there already.
    first: Option<(Bytes, FrameKind)>,
    /// Whether a frame of the answer was passed on.
    begun: bool,
    rest: Follower,
    /// Whether the client wants the token counts.
    usage: bool,
    api: Api,
    keep_alive: Duration,
    /// Set when the reply begins.
    tally: Option<Tally>,
}

type Step = Option<(Result<Frame<Bytes>, BrokenOff>, Option<Box<Live>>)>;

impl Live {
    /// The next bytes, and the rest of the stream if there is one.
    async fn step(live: Option<Box<Self>>) -> Step {
        let mut live = live?;
        loop {
            let next = match live.first.take() {
                Some(first) => Ok(Ok(Some(first))),
                None => timeout(live.keep_alive, live.next()).await,
            };
            return match next {
                Err(_) => {
                    let sign = Bytes::from_static(live.api.sign_of_life().as_bytes());
                    Some((Ok(Frame::data(sign)), Some(live)))
                }
                Ok(Ok(Some((_, FrameKind::Usage)))) if !live.usage => continue,
                Ok(Ok(Some((frame, _)))) => Some(live.pass_on(frame)),
                Ok(Ok(None)) => live.end(),
                Ok(Err(error)) => Some(live.fail(&error.into())),
            };
        }
    }

    async fn next(&mut self) -> Result<Option<(Bytes, FrameKind)>, FlightError<FetchError>> {
        begin(&mut self.rest, &mut Arc::default()).await
    }

    /// A frame. Where it is the last, the end is recorded before the client can see it.
    fn pass_on(
        mut self: Box<Self>,
        frame: Bytes,
    ) -> (Result<Frame<Bytes>, BrokenOff>, Option<Box<Self>>) {
        self.begun = true;
        let is_early = |landing: &Landing| matches!(landing, Landing::Partial { .. });
        let landing = self.rest.landing().filter(|landing| !is_early(landing));
        if let Some(tally) = &mut self.tally {
            match &landing {
                Some(landing) => tally.landed(landing, &frame),
                None => tally.passed(frame.len()),
            }
        }
        let rest = landing.is_none().then_some(self);
        (Ok(Frame::data(frame)), rest)
    }

    /// Nothing more comes in frames: the backend stopped early, or sent a document after all.
    fn end(mut self: Box<Self>) -> Step {
        let landing = self.rest.landing()?;
        match landing {
            Landing::Partial {
                error,
                is_told: false,
            } => return Some(self.fail(&Error::Fetch(error))),
            // A document that is no answer, for one who was promised a stream.
            Landing::Odd { error, .. } if !self.begun => {
                return Some(self.fail(&Error::Fetch(error)));
            }
            _ => {}
        }
        let bytes = if self.begun {
            Bytes::new()
        } else {
            landing.stream(self.usage)
        };
        if let Some(tally) = &mut self.tally {
            tally.landed(&landing, &bytes);
        }
        (!bytes.is_empty()).then_some((Ok(Frame::data(bytes)), None))
    }

    /// An error, without the frame that would make the stream look whole.
    fn fail(
        mut self: Box<Self>,
        error: &Error,
    ) -> (Result<Frame<Bytes>, BrokenOff>, Option<Box<Self>>) {
        if let Some(tally) = &mut self.tally {
            tally.broke_off(error.to_string());
        }
        let body = error.one_line(self.api);
        let frame = match self.api {
            Api::OpenAi => openai::error_frame(&body),
            Api::Responses => responses::error_frame(&body),
            Api::Anthropic => messages::error_frame(&body),
        };
        (Ok(Frame::data(frame)), None)
    }
}
