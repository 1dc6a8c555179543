//! What the engine's handles ask of the supervisor.

use deja_chat::{ChatRequest, Event};
use tokio::sync::{mpsc, oneshot};

use crate::{
    EngineError,
    protocol::{RequestId, ToWorker},
};

/// A wish of one of the engine's handles.
#[derive(Debug)]
pub(crate) enum Command {
    /// Does with a request what its reply tells.
    Ask {
        id: RequestId,
        request: Box<ChatRequest>,
        reply: Reply,
    },
    /// Nobody waits for this reply any more.
    Cancel { id: RequestId },
}

/// What is wanted of a request, and where it goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The events of its answer.
    Answer(mpsc::UnboundedSender<Result<Event, EngineError>>),
    /// The number of its prompt's tokens.
    TokenCount(oneshot::Sender<Result<u32, EngineError>>),
}

impl Reply {
    /// The message that makes a worker give this reply.
    pub(crate) fn message(&self, id: RequestId, request: ChatRequest) -> ToWorker {
        match self {
            Self::Answer(_) => ToWorker::Generate { id, request },
            Self::TokenCount(_) => ToWorker::CountTokens { id, request },
        }
    }

    /// Ends the reply with an error, if anyone still waits for it.
    pub(crate) fn fail(self, error: EngineError) {
        match self {
            Self::Answer(events) => {
                let _ = events.send(Err(error));
            }
            Self::TokenCount(count) => {
                let _ = count.send(Err(error));
            }
        }
    }
}
