//! What the engine's handles ask of the supervisor.

use deja_wire::{Embedding, Event};
use tokio::sync::{mpsc, oneshot};

use crate::{
    EngineError,
    protocol::{RequestId, ToWorker},
};

/// A wish of one of the engine's handles.
#[derive(Debug)]
pub(crate) enum Command {
    /// Asks the worker.
    Ask(Request),
    /// Nobody waits for this reply any more.
    Cancel { id: RequestId },
}

/// What the worker is asked, and where its reply goes.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) message: Box<ToWorker>,
    pub(crate) reply: Reply,
}

/// Where a reply goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The events of an answer.
    Answer(mpsc::UnboundedSender<Result<Event, EngineError>>),
    /// One embedding after another.
    Embeddings(mpsc::UnboundedSender<Result<Embedding, EngineError>>),
    /// The number of a prompt's tokens.
    TokenCount(oneshot::Sender<Result<u32, EngineError>>),
}

impl Reply {
    /// Ends the reply with an error, if anyone still waits for it.
    pub(crate) fn fail(self, error: EngineError) {
        match self {
            Self::Answer(events) => {
                let _ = events.send(Err(error));
            }
            Self::Embeddings(embeddings) => {
                let _ = embeddings.send(Err(error));
            }
            Self::TokenCount(count) => {
                let _ = count.send(Err(error));
            }
        }
    }
}
