//! The engine as the rest of the program sees it.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deja_wire::{ChatRequest, Embedding, EmbeddingRequest, Event};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    EngineError, ModelInfo, Settings, Source, WorkerState, WorkerStatus,
    command::{Command, Reply, Request},
    protocol::{RequestId, ToWorker},
    supervisor::{Next, NotLoaded, Supervisor},
};

/// When a full engine is worth another try: short answers end about as often.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// A model that answers, in a process of its own. Whether or not the model is loaded makes no
/// difference to who asks, but in time.
#[derive(Debug)]
pub struct Engine {
    name: String,
    identity: String,
    info: Arc<OnceLock<ModelInfo>>,
    commands: mpsc::UnboundedSender<Command>,
    states: watch::Receiver<WorkerState>,
    last_id: AtomicU64,
    /// For the generations that may wait or run.
    places: Arc<Semaphore>,
    /// Ends the supervisor, and with it the worker.
    stop: DropGuard,
}

/// An answer in the making. Dropping it cancels the generation within one token.
#[derive(Debug)]
pub struct Generation {
    events: mpsc::UnboundedReceiver<Result<Event, EngineError>>,
    _wait: Wait,
    /// Held until the last event is read; never held by a generation that is refused.
    place: Option<OwnedSemaphorePermit>,
    ended: bool,
}

/// That somebody waits for a reply: dropping it cancels the request.
#[derive(Debug)]
struct Wait {
    id: RequestId,
    commands: mpsc::UnboundedSender<Command>,
}

impl Engine {
    /// An engine that loads its model at once: this waits until it is loaded.
    ///
    /// # Errors
    /// The model is missing or broken, or could not be loaded.
    pub async fn start(settings: Settings) -> Result<Self, EngineError> {
        let (engine, mut supervisor) = Self::new(settings)?;
        let resident = match supervisor.try_load().await {
            Ok(resident) => resident,
            Err(NotLoaded::Failed(error)) => return Err(error),
            Err(NotLoaded::Stopped | NotLoaded::Unwanted) => return Err(shut_down()),
        };
        tokio::spawn(supervisor.run(Next::Serve(resident)));
        Ok(engine)
    }

    /// An engine that loads its model when the first request comes.
    ///
    /// # Errors
    /// The model's files are missing, or those that tell what it is are broken.
    pub fn on_demand(settings: Settings) -> Result<Self, EngineError> {
        let (engine, supervisor) = Self::new(settings)?;
        tokio::spawn(supervisor.run(Next::Rest));
        Ok(engine)
    }

    fn new(settings: Settings) -> Result<(Self, Supervisor), EngineError> {
        let name = settings.name.clone();
        let (info, identity) = match &settings.model {
            Source::Here(path) => {
                let info = ModelInfo::read(path, settings.context_length)?;
                (info.into(), format!("{name} {}", path.display()))
            }
            Source::Elsewhere(_) => (OnceLock::new(), name.clone()),
        };
        let info = Arc::new(info);
        let (commands, inbox) = mpsc::unbounded_channel();
        let (publisher, states) = watch::channel(WorkerState {
            status: WorkerStatus::Unloaded,
            restarts: 0,
        });
        let places = Semaphore::new(settings.max_waiting.min(Semaphore::MAX_PERMITS));
        let stop = CancellationToken::new();
        let engine = Self {
            name,
            identity,
            info: info.clone(),
            commands,
            states,
            last_id: AtomicU64::new(0),
            places: Arc::new(places),
            stop: stop.clone().drop_guard(),
        };
        let supervisor = Supervisor::new(settings, info, inbox, publisher, stop);
        Ok((engine, supervisor))
    }

    /// What the model is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model's name and its place: files in different folders may have one name.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// What the model's files tell, if they are here.
    #[must_use]
    pub fn info(&self) -> Option<&ModelInfo> {
        self.info.get()
    }

    /// How the worker process is doing.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        self.states.borrow().clone()
    }

    /// The same, to wait for changes of it.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<WorkerState> {
        self.states.clone()
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
            self.ask(id, ToWorker::Generate { id, request }, reply);
        } else {
            reply.fail(busy());
        }
        Generation {
            events,
            _wait: self.wait(id),
            place,
            ended: false,
        }
    }

    /// The number of tokens that the request's prompt has: what the answer's usage will say. It
    /// waits for no generation, only for a step of the one that runs.
    pub async fn count_tokens(&self, request: ChatRequest) -> Result<u32, EngineError> {
        let (sender, count) = oneshot::channel();
        let id = self.next_id();
        let message = ToWorker::CountTokens { id, request };
        self.ask(id, message, Reply::TokenCount(sender));
        count.await.unwrap_or_else(|_| Err(shut_down()))
    }

    /// Embeds each input. The request takes one place among the generations; dropping the future
    /// cancels what is left of it.
    ///
    /// # Errors
    /// [`EngineError::Input`], [`EngineError::InputTooLong`] and [`EngineError::Dimensions`], and what
    /// ends a generation.
    pub async fn embed(&self, request: EmbeddingRequest) -> Result<Vec<Embedding>, EngineError> {
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let (sender, mut incoming) = mpsc::unbounded_channel();
        let (id, wanted) = (self.next_id(), request.inputs.len());
        self.ask(
            id,
            ToWorker::Embed { id, request },
            Reply::Embeddings(sender),
        );
        let _wait = self.wait(id);
        let mut embeddings = Vec::with_capacity(wanted);
        while embeddings.len() < wanted {
            let embedding = incoming.recv().await.unwrap_or_else(|| Err(shut_down()));
            embeddings.push(embedding?);
        }
        Ok(embeddings)
    }

    fn wait(&self, id: RequestId) -> Wait {
        Wait {
            id,
            commands: self.commands.clone(),
        }
    }

    fn next_id(&self) -> RequestId {
        self.last_id.fetch_add(1, Ordering::Relaxed)
    }

    fn ask(&self, id: RequestId, message: ToWorker, reply: Reply) {
        // After a shutdown nobody takes the command: it is dropped, and `reply` with it.
        let message = Box::new(message);
        let request = Request { id, message, reply };
        let _ = self.commands.send(Command::Ask(request));
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

impl Drop for Wait {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Cancel { id: self.id });
    }
}

fn busy() -> EngineError {
    EngineError::Busy {
        retry_after: BUSY_RETRY,
    }
}

/// What became of a request whose reply is dropped.
fn shut_down() -> EngineError {
    EngineError::WorkerLost {
        reason: "the engine was shut down".into(),
    }
}
