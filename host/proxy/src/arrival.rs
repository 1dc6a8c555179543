//! An answer that comes from the model, and its way to one client.

use std::convert::Infallible;

use bytes::Bytes;
use deja_cache::{FlightError, Follower, Stored};
use deja_chat::{
    Answer, Delivery, Event,
    openai::{self, Envelope},
};
use deja_engine::EngineError;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::{
    error::Error,
    reply::{self, Frames, Reply},
    tally::Tally,
};

/// An answer that comes from the model, as far as it has to be before its reply can begin. A
/// failure up to here gets a status of its own, or another try.
pub(crate) enum Arrival {
    /// It is all there.
    Whole {
        answer: Answer,
        stored: Option<Stored>,
    },
    /// Its first event is there.
    Begun {
        first: Event,
        rest: Follower<EngineError>,
        frames: Frames,
    },
}

impl Arrival {
    /// Waits for as much of the flight's answer as this delivery needs.
    pub(crate) async fn of(
        mut flight: Follower<EngineError>,
        delivery: Delivery,
        model: &str,
    ) -> Result<Self, FlightError<EngineError>> {
        match delivery {
            Delivery::Whole => {
                let mut events = Vec::new();
                while let Some(event) = flight.next().await? {
                    events.push(event);
                }
                let answer = Answer::from_events(model, events).ok_or(FlightError::Abandoned)?;
                Ok(Self::Whole {
                    answer,
                    stored: flight.stored(),
                })
            }
            Delivery::Stream { usage } => {
                let first = flight.next().await?.ok_or(FlightError::Abandoned)?;
                let frames = Frames::new(Envelope::fresh(model), usage);
                Ok(Self::Begun {
                    first,
                    rest: flight,
                    frames,
                })
            }
        }
    }

    /// Whether the answer is known to be held now.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(
            self,
            Self::Whole {
                stored: Some(Stored::Yes),
                ..
            }
        )
    }

    /// The reply, which goes on as the answer does.
    pub(crate) fn reply(self, mut tally: Tally) -> Reply {
        match self {
            Self::Whole { answer, .. } => {
                answer.events().for_each(|event| tally.event(&event));
                reply::json(openai::completion(&Envelope::fresh(&answer.model), &answer))
            }
            Self::Begun {
                first,
                rest,
                frames,
            } => {
                let live = Live {
                    first: Some(first),
                    rest,
                    frames,
                    tally,
                };
                let body = StreamBody::new(stream::unfold(Some(live), Live::step));
                reply::event_stream(body.boxed_unsync())
            }
        }
    }
}

/// A stream on its way to a client.
struct Live {
    first: Option<Event>,
    rest: Follower<EngineError>,
    frames: Frames,
    tally: Tally,
}

type Step = Option<(Result<Frame<Bytes>, Infallible>, Option<Live>)>;

impl Live {
    async fn step(live: Option<Self>) -> Step {
        let mut live = live?;
        let next = match live.first.take() {
            Some(first) => Ok(Some(first)),
            None => live.rest.next().await,
        };
        let (frames, live) = match next {
            Ok(event) => live.pass_on(&event?),
            Err(error) => live.fail(&error.into()),
        };
        Some((Ok(Frame::data(Bytes::from(frames))), live))
    }

    /// The frames of an event, and the rest of the stream if there is one. The end is recorded
    /// before the client can see it.
    fn pass_on(mut self, event: &Event) -> (String, Option<Self>) {
        self.tally.event(event);
        let frames = self.frames.of(event);
        let rest = (!matches!(event, Event::End { .. })).then_some(self);
        (frames, rest)
    }

    /// An error, without the frame that would make the stream look whole.
    fn fail(mut self, error: &Error) -> (String, Option<Self>) {
        self.tally.failed();
        tracing::warn!(%error, "an answer broke off");
        (format!("data: {}\n\n", error.body()), None)
    }
}
