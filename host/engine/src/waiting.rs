//! The requests that wait for a worker.

use std::{collections::VecDeque, future::pending, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    EngineError,
    command::{Command, Request},
};

/// Requests in the order in which they came. All wait equally long, so the first of them is the
/// first whose patience ends.
#[derive(Debug)]
pub(crate) struct Waiting {
    requests: VecDeque<(Request, Instant)>,
    patience: Duration,
}

impl Waiting {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            requests: VecDeque::new(),
            patience,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Takes a request on, or forgets one.
    pub(crate) fn take(&mut self, command: Command) {
        match command {
            Command::Ask(request) => {
                let deadline = Instant::now() + self.patience;
                self.requests.push_back((request, deadline));
            }
            Command::Cancel { id } => self.requests.retain(|(request, _)| request.id != id),
        }
    }

    pub(crate) fn first(&self) -> Option<&Request> {
        self.requests.front().map(|(request, _)| request)
    }

    pub(crate) fn pop(&mut self) -> Option<Request> {
        self.requests.pop_front().map(|(request, _)| request)
    }

    /// Waits until the first has waited long enough.
    pub(crate) async fn patience_ends(&self) {
        match self.requests.front() {
            Some((_, deadline)) => sleep_until(*deadline).await,
            None => pending().await,
        }
    }

    /// Ends all replies with this error.
    pub(crate) fn fail(&mut self, error: &EngineError) {
        for (request, _) in self.requests.drain(..) {
            request.reply.fail(error.clone());
        }
    }
}
