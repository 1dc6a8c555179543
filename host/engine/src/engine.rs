//! The engine as the rest of the program sees it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deja_chat::{ChatRequest, Event};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    EngineError, Settings,
    command::{Command, Reply},
    protocol::RequestId,
    supervisor::Supervisor,
    worker_process::WorkerProcess,
};

/// When a full engine is worth another try: short answers end about as often.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// A model that answers, in a process of its own.
#[derive(Debug)]
pub struct Engine {
    model: ModelInfo,
    commands: mpsc::UnboundedSender<Command>,
    states: watch::Receiver<WorkerState>,
    last_id: AtomicU64,
    /// For the generations that may wait or run.
    places: Arc<Semaphore>,
    /// Ends the supervisor, and with it the worker.
    stop: DropGuard,
}

/// The model that an engine runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its name: by default that of the file without its extension, or of the folder.
    pub id: String,
    /// Tokens that prompt and answer may have together.
    pub context_length: u32,
    /// When its file was last changed, in seconds since 1970.
    pub created: u64,
}

/// How the worker process is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerState {
    /// What it does now.
    #[serde(flatten)]
    pub status: WorkerStatus,
    /// How often it was started again since the engine started.
    pub restarts: u32,
}

/// What a worker process does now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum WorkerStatus {
    /// It answers requests.
    Running {
        /// Its process id.
        pid: u32,
    },
    /// It ended, and a new one is on its way.
    Restarting {
        /// How the last one ended.
        reason: String,
        /// How long the next one is held back, since others were lost in the last minute.
        wait_seconds: u64,
    },
    /// The engine was shut down.
    Stopped,
}

/// An answer in the making. Dropping it cancels the generation within one token.
#[derive(Debug)]
pub struct Generation {
    id: RequestId,
    events: mpsc::UnboundedReceiver<Result<Event, EngineError>>,
    commands: mpsc::UnboundedSender<Command>,
    /// Held until the last event is read; never held by a generation that is refused.
    place: Option<OwnedSemaphorePermit>,
    ended: bool,
}

impl Engine {
    /// Starts a worker and waits until it has loaded the model.
    pub async fn start(settings: Settings) -> Result<Self, EngineError> {
        let worker = WorkerProcess::start(&settings).await?;
        let mut model = worker.model().clone();
        if let Some(name) = &settings.name {
            model.id.clone_from(name);
        }
        let (commands, inbox) = mpsc::unbounded_channel();
        let running = WorkerStatus::Running { pid: worker.pid() };
        let (publisher, states) = watch::channel(WorkerState {
            status: running,
            restarts: 0,
        });
        let places = Semaphore::new(settings.max_waiting.min(Semaphore::MAX_PERMITS));
        let stop = CancellationToken::new();
        let supervisor = Supervisor::new(settings, inbox, publisher, stop.clone());
        tokio::spawn(supervisor.run(worker));
        Ok(Self {
            model,
            commands,
            states,
            last_id: AtomicU64::new(0),
            places: Arc::new(places),
            stop: stop.drop_guard(),
        })
    }

    /// The model that answers.
    #[must_use]
    pub fn model(&self) -> &ModelInfo {
        &self.model
    }

    /// How the worker process is doing.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        self.states.borrow().clone()
    }

    /// Asks for an answer; never waits. When as many wait or run as may, the generation's one
    /// event is [`EngineError::Busy`].
    #[must_use]
    pub fn generate(&self, request: ChatRequest) -> Generation {
        let id = self.next_id();
        let (sender, events) = mpsc::unbounded_channel();
        let reply = Reply::Answer(sender);
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_some() {
            self.ask(id, request, reply);
        } else {
            reply.fail(EngineError::Busy {
                retry_after: BUSY_RETRY,
            });
        }
        Generation {
            id,
            events,
            commands: self.commands.clone(),
            place,
            ended: false,
        }
    }

    /// The number of tokens that the request's prompt has: what the answer's usage will say. It
    /// waits for no generation, only for a step of the one that runs.
    pub async fn count_tokens(&self, request: ChatRequest) -> Result<u32, EngineError> {
        let (sender, count) = oneshot::channel();
        self.ask(self.next_id(), request, Reply::TokenCount(sender));
        count.await.unwrap_or_else(|_| Err(shut_down()))
    }

    fn next_id(&self) -> RequestId {
        self.last_id.fetch_add(1, Ordering::Relaxed)
    }

    fn ask(&self, id: RequestId, request: ChatRequest, reply: Reply) {
        // After a shutdown nobody takes the command: it is dropped, and `reply` with it.
        let request = Box::new(request);
        let _ = self.commands.send(Command::Ask { id, request, reply });
    }

    /// Ends the worker, and with it every generation that still runs.
    pub async fn shutdown(&self) {
        self.stop.token().cancel();
        let stopped = |state: &WorkerState| state.status == WorkerStatus::Stopped;
        // An error says that the supervisor is gone, and the worker with it.
        let _ = self.states.clone().wait_for(stopped).await;
    }
}

impl Generation {
    /// The next event, up to and with [`Event::End`]. An error, too, is the last.
    pub async fn next(&mut self) -> Option<Result<Event, EngineError>> {
        if self.ended {
            return None;
        }
        let event = self.events.recv().await.unwrap_or_else(|| Err(shut_down()));
        if matches!(event, Ok(Event::End { .. }) | Err(_)) {
            self.ended = true;
            self.place = None;
        }
        Some(event)
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Cancel { id: self.id });
    }
}

/// What became of a request whose reply is dropped.
fn shut_down() -> EngineError {
    EngineError::WorkerLost {
        reason: "the engine was shut down".into(),
    }
}
