//! From the events of an answer to a client's frames and to the answer that is kept: each event is
//! encoded once, and what was encoded is not read again.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    Answer, Endpoint, Event, Fragment, Frame, FrameKind, Incomplete, chat_completions, completions,
    encoded::{Encoded, Slots},
    folded_answer::FoldedAnswer,
    messages, payload, responses,
    slot::{Ids, Piece},
    stream::StreamBuilder,
};

/// Encodes the events of an answer for a client, and records the answer that they make.
#[derive(Debug)]
pub struct EventRecorder {
    endpoint: Endpoint,
    encoder: Encoder,
    answer: FoldedAnswer,
    ids: Ids,
    stream: StreamBuilder,
    ended: bool,
    /// Why the answer is not to be stored.
    fault: Option<Incomplete>,
}

/// The encoders of the endpoints that generate.
#[derive(Debug)]
enum Encoder {
    ChatCompletions(chat_completions::EventEncoder),
    Completions(completions::EventEncoder),
    Messages(messages::EventEncoder),
    Responses(responses::EventEncoder),
}

impl Encoder {
    fn encode(&mut self, event: &Event) -> Vec<Encoded> {
        match self {
            Self::ChatCompletions(encoder) => encoder.encode(event),
            Self::Completions(encoder) => encoder.encode(event),
            Self::Messages(encoder) => encoder.encode(event),
            Self::Responses(encoder) => encoder.encode(event),
        }
    }

    fn document(&self, answer: &FoldedAnswer) -> Result<Value, Incomplete> {
        match self {
            Self::ChatCompletions(encoder) => Ok(encoder.document(answer)),
            Self::Completions(encoder) => Ok(encoder.document(answer)),
            Self::Messages(encoder) => encoder.document(answer),
            Self::Responses(encoder) => Ok(encoder.document(answer)),
        }
    }
}

impl EventRecorder {
    /// Returns a recorder for a client of this endpoint, one that generates, with a new id. `model`
    /// is the model's name where no event gives one.
    #[must_use]
    pub fn new(endpoint: Endpoint, model: &str) -> Self {
        let encoder = match endpoint {
            Endpoint::Completions => Encoder::Completions(completions::EventEncoder::new(model)),
            Endpoint::Messages | Endpoint::CountTokens => {
                Encoder::Messages(messages::EventEncoder::new(model))
            }
            Endpoint::Responses => Encoder::Responses(responses::EventEncoder::new(model)),
            Endpoint::ChatCompletions | Endpoint::Embeddings => {
                Encoder::ChatCompletions(chat_completions::EventEncoder::new(model))
            }
        };
        Self {
            endpoint,
            encoder,
            answer: FoldedAnswer::default(),
            ids: Ids::new(endpoint),
            stream: StreamBuilder::default(),
            ended: false,
            fault: None,
        }
    }

    /// Sets the body of the request that is answered: an answer may call its tools by other names
    /// than an upstream's API has for them.
    #[must_use]
    pub fn answering(mut self, body: &Value) -> Self {
        if let Encoder::Responses(encoder) = &mut self.encoder {
            encoder.set_request(body);
        }
        self
    }

    /// Takes in the next event, and returns the frames that the client gets for it.
    pub fn push(&mut self, event: &Event) -> Vec<Frame> {
        match event {
            Event::Dropped { .. } => self.fail(Incomplete::NotCarried),
            Event::Failed(_) => self.fail(Incomplete::ErrorEvent),
            Event::End { .. } => self.ended = true,
            _ => {}
        }
        self.answer.push(event);
        let encoded = self.encoder.encode(event);
        encoded.into_iter().map(|frame| self.keep(frame)).collect()
    }

    /// Returns a frame that only shows that the answer is still being made.
    #[must_use]
    pub fn heartbeat(&self) -> Frame {
        Frame {
            bytes: Bytes::from_static(self.endpoint.api().sign_of_life().as_bytes()),
            kind: FrameKind::Quiet,
        }
    }

    /// Returns the answer, if it is whole and all of it is in it.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub fn finish(mut self) -> Result<Answer, Fragment> {
        match self.fault {
            Some(Incomplete::NotCarried) | None if !self.ended => {
                return Err(Incomplete::NoEnd.into());
            }
            Some(Incomplete::NotCarried) | None => {}
            Some(fault) => return Err(fault.into()),
        }
        let document = self.encoder.document(&self.answer)?;
        let stream = std::mem::take(&mut self.stream).finish();
        let answer = Answer::recorded(self.endpoint, &document, stream);
        let reason = match (self.fault, answer) {
            (None, Ok(answer)) => return Ok(answer),
            (Some(fault), Ok(_)) => fault,
            (_, Err(reason)) => reason,
        };
        Err(Fragment {
            reason,
            document: reason.leaves_a_document().then_some(document),
        })
    }

    /// Records a frame for replays.
    fn keep(&mut self, encoded: Encoded) -> Frame {
        let Encoded { text, kind, slots } = encoded;
        let is_kept = matches!(kind, FrameKind::Content | FrameKind::Usage | FrameKind::End);
        if is_kept && self.fault.is_none() {
            match self.piece(&text, slots) {
                Some(piece) => self.stream.push(piece, kind == FrameKind::Usage),
                None => self.fail(Incomplete::Broken),
            }
        }
        Frame {
            bytes: Bytes::from(text),
            kind,
        }
    }

    fn piece(&mut self, text: &str, slots: Slots) -> Option<Piece> {
        match slots {
            Slots::None => Some(Piece::plain(text.as_bytes())),
            Slots::Known(slots) => Some(Piece::with_slots(text.as_bytes(), &slots)),
            Slots::Unknown => {
                let json = payload(text.as_bytes())?;
                self.ids.piece(text.as_bytes(), &json).ok()
            }
        }
    }

    fn fail(&mut self, fault: Incomplete) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests;
