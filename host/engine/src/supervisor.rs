//! Loads the model when it is needed, keeps a worker running while it is, and carries requests to it
//! and events back.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::{Future, pending},
    io::{self, ErrorKind},
    path::PathBuf,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use deja_wire::Event;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    EngineError, ModelInfo, Settings, Source, WorkerState, WorkerStatus,
    back_off::BackOff,
    command::{Command, Reply},
    protocol::{FromWorker, RequestId, ToWorker},
    residency::Claim,
    waiting::Waiting,
    worker_process::WorkerProcess,
};

/// When another attempt to get memory, or a model's files, is worthwhile.
const RETRY: Duration = Duration::from_secs(5);

/// The task that owns the worker process.
pub(crate) struct Supervisor {
    settings: Settings,
    /// Known before the first load, unless the files are elsewhere.
    info: Arc<OnceLock<ModelInfo>>,
    commands: mpsc::UnboundedReceiver<Command>,
    state: watch::Sender<WorkerState>,
    stop: CancellationToken,
    waiting: Waiting,
    running: HashMap<RequestId, Reply>,
    back_off: BackOff,
    /// What the model was found to take, once it was loaded.
    measured_bytes: u64,
}

/// A loaded model.
pub(crate) struct Resident {
    // Dropped first: the memory is free once the process has ended.
    worker: WorkerProcess,
    claim: Claim,
    path: PathBuf,
}

/// What the supervisor does next.
pub(crate) enum Next {
    /// Waits for a request, without a worker.
    Rest,
    /// Loads the model for the requests that wait.
    Load,
    /// Answers.
    Serve(Box<Resident>),
    /// Starts another worker in the place of one that was lost.
    Restart(Lost),
    /// Ends.
    Stop,
}

/// What is left of a worker that was lost.
pub(crate) struct Lost {
    claim: Claim,
    path: PathBuf,
    reason: String,
}

/// Why nothing was loaded.
pub(crate) enum NotLoaded {
    /// The engine stops.
    Stopped,
    /// Nobody waits for it any more.
    Unwanted,
    /// It failed.
    Failed(EngineError),
}

impl From<EngineError> for NotLoaded {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

/// How requests wait while something else is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Each for as long as its patience lasts.
    Patiently,
    /// In the same way; it is not done for nobody.
    WhileWanted,
    /// To the end, which has a limit of its own.
    ToTheEnd,
}

/// How a worker's service ended.
enum Ended {
    /// The worker is lost.
    Lost(io::Error),
    /// Its model is not needed, or its memory is.
    Unneeded(&'static str),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl Supervisor {
    pub(crate) fn new(
        settings: Settings,
        info: Arc<OnceLock<ModelInfo>>,
        commands: mpsc::UnboundedReceiver<Command>,
        state: watch::Sender<WorkerState>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            waiting: Waiting::new(settings.patience),
            settings,
            info,
            commands,
            state,
            stop,
            running: HashMap::new(),
            back_off: BackOff::default(),
            measured_bytes: 0,
        }
    }

    /// Serves until it is stopped.
    pub(crate) async fn run(mut self, mut next: Next) {
        loop {
            next = match next {
                Next::Rest => self.rest().await,
                Next::Load => self.load().await,
                Next::Serve(resident) => self.serve(resident).await,
                Next::Restart(lost) => self.restart(lost).await,
                Next::Stop => break,
            }
        }
        self.publish(WorkerStatus::Stopped);
    }

    fn publish(&self, status: WorkerStatus) {
        self.state.send_modify(|state| state.status = status);
    }

    async fn rest(&mut self) -> Next {
        while self.waiting.is_empty() {
            tokio::select! {
                () = self.stop.cancelled() => return Next::Stop,
                Some(command) = self.commands.recv() => self.waiting.take(command),
            }
        }
        Next::Load
    }

    async fn load(&mut self) -> Next {
        match self.try_load().await {
            Ok(resident) => Next::Serve(resident),
            Err(NotLoaded::Stopped) => Next::Stop,
            Err(NotLoaded::Unwanted) => {
                self.publish(WorkerStatus::Unloaded);
                Next::Rest
            }
            Err(NotLoaded::Failed(error)) => {
                let reason = error.to_string();
                tracing::error!(
                    model = self.settings.name,
                    reason,
                    "the model is not loaded"
                );
                self.waiting.fail(&error);
                self.publish(WorkerStatus::Failed { reason });
                Next::Rest
            }
        }
    }

    /// Fetches the model if it is elsewhere, waits for memory, and starts a worker.
    pub(crate) async fn try_load(&mut self) -> Result<Box<Resident>, NotLoaded> {
        let (path, info) = self.files().await?;
        let settings = self.settings.clone();
        loop {
            self.publish(WorkerStatus::Waiting);
            let bytes = self.measured_bytes.max(info.file_bytes);
            let claim = settings.residency.claim(bytes);
            let claim = self.meanwhile(claim, Wait::WhileWanted).await??;
            self.publish(WorkerStatus::Loading);
            let start = WorkerProcess::start(&settings, &path);
            let worker = self.meanwhile(start, Wait::ToTheEnd).await??;
            // On a CPU, quantised weights take more than their files.
            self.measured_bytes = self.measured_bytes.max(worker.bytes());
            if claim.resize(self.measured_bytes) {
                return Ok(self.announce(worker, claim, path));
            }
            worker.stop().await;
        }
    }

    /// Where the model's files are, and what they tell.
    async fn files(&mut self) -> Result<(PathBuf, ModelInfo), NotLoaded> {
        let path = match &self.settings.model {
            Source::Here(path) => path.clone(),
            Source::Elsewhere(fetch) => {
                self.publish(WorkerStatus::Fetching);
                let fetch = fetch.clone();
                let fetching = tokio::task::spawn_blocking(move || fetch());
                let fetched = self.meanwhile(fetching, Wait::Patiently).await?;
                let fetched = fetched.unwrap_or_else(|error| Err(error.to_string()));
                fetched.map_err(|reason| EngineError::ModelNotFetched { reason })?
            }
        };
        let info = match self.info.get() {
            Some(info) => info.clone(),
            None => ModelInfo::read(&path, self.settings.context_length)?,
        };
        Ok((path, self.info.get_or_init(|| info).clone()))
    }

    /// Tells that a model is loaded.
    fn announce(&self, worker: WorkerProcess, claim: Claim, path: PathBuf) -> Box<Resident> {
        let (pid, bytes) = (worker.pid(), worker.bytes());
        self.publish(WorkerStatus::Running { pid, bytes });
        let model = &self.settings.name;
        tracing::info!(model, pid, bytes, "the inference worker runs");
        Box::new(Resident {
            worker,
            claim,
            path,
        })
    }

    /// Serves with one worker, as long as it lives and is needed.
    async fn serve(&mut self, mut resident: Box<Resident>) -> Next {
        let pid = resident.worker.pid();
        let stop = self.stop.clone();
        let ended = tokio::select! {
            () = stop.cancelled() => {
                resident.worker.stop().await;
                return Next::Stop;
            }
            ended = self.relay(&mut resident) => ended,
        };
        match ended {
            Ended::Unneeded(reason) => {
                tracing::info!(
                    model = self.settings.name,
                    pid,
                    reason,
                    "the model is unloaded"
                );
                resident.worker.stop().await;
                self.publish(WorkerStatus::Unloaded);
                Next::Rest
            }
            Ended::Lost(error) => Next::Restart(self.lose(*resident, &error).await),
        }
    }

    /// Tells all that wait for its replies how a worker was lost.
    async fn lose(&mut self, resident: Resident, error: &io::Error) -> Lost {
        let Resident {
            worker,
            mut claim,
            path,
        } = resident;
        let reason = worker.how_it_ended(error).await;
        for (_, reply) in self.running.drain() {
            reply.fail(EngineError::WorkerLost {
                reason: reason.clone(),
            });
        }
        // What waits for memory need not wait for this one to leave: it is about to load.
        claim.set_busy(true);
        Lost {
            claim,
            path,
            reason,
        }
    }

    /// Carries messages in both directions until the worker is lost, or is not needed any more.
    async fn relay(&mut self, resident: &mut Resident) -> Ended {
        loop {
            if let Err(error) = self.relay_next(resident).await {
                return error;
            }
        }
    }

    async fn relay_next(&mut self, resident: &mut Resident) -> Result<(), Ended> {
        let Resident { worker, claim, .. } = resident;
        self.hand_over(worker).await?;
        claim.set_busy(!self.running.is_empty());
        let idle_until = self.settings.idle_timeout.zip(claim.idle_since());
        tokio::select! {
            // A worker's death is seen before a new request is given to it.
            biased;
            message = worker.receive() => self.deliver(message?),
            Some(command) = self.commands.recv() => self.command(command, worker).await?,
            () = claim.asked_to_leave() => return Err(Ended::Unneeded("another model needs its memory")),
            () = until(idle_until.map(|(timeout, since)| since + timeout)) => {
                return Err(Ended::Unneeded("nobody has asked it for a while"));
            }
        }
        Ok(())
    }

    /// Gives the worker the requests that waited for it. One that is too long for a frame fails; one
    /// that does not reach the worker waits for the next.
    async fn hand_over(&mut self, worker: &mut WorkerProcess) -> io::Result<()> {
        while let Some(request) = self.waiting.first() {
            let sent = worker.send(&request.message).await;
            let refusal = match sent {
                Ok(()) => None,
                Err(error) if error.kind() == ErrorKind::InvalidInput => Some(error.to_string()),
                Err(error) => return Err(error),
            };
            let Some(request) = self.waiting.pop() else {
                break;
            };
            if let Some(reason) = refusal {
                request.reply.fail(EngineError::Generation { reason });
            } else {
                self.running.insert(request.id, request.reply);
            }
        }
        Ok(())
    }

    async fn command(&mut self, command: Command, worker: &mut WorkerProcess) -> io::Result<()> {
        match command {
            Command::Cancel { id } if self.running.remove(&id).is_some() => {
                worker.send(&ToWorker::Cancel { id }).await
            }
            other => {
                self.waiting.take(other);
                Ok(())
            }
        }
    }

    /// Passes a worker's message on to the request that it belongs to, if anyone still waits.
    fn deliver(&mut self, message: FromWorker) {
        match message {
            FromWorker::Event { id, event } => self.deliver_event(id, event),
            FromWorker::Embedding { id, embedding } => {
                // Who asked knows when it has all of them, and cancels what is left: nothing.
                if let Some(Reply::Embeddings(embeddings)) = self.running.get(&id) {
                    let _ = embeddings.send(Ok(embedding));
                }
            }
            FromWorker::TokenCount { id, tokens } => {
                if let Some(Reply::TokenCount(count)) = self.running.remove(&id) {
                    let _ = count.send(Ok(tokens));
                }
            }
            FromWorker::Failed { id, error } => {
                if let Some(reply) = self.running.remove(&id) {
                    reply.fail(error);
                }
            }
            other => tracing::warn!(?other, "the inference worker speaks out of turn"),
        }
    }

    fn deliver_event(&mut self, id: RequestId, event: Event) {
        let Entry::Occupied(running) = self.running.entry(id) else {
            return;
        };
        let is_last = matches!(event, Event::End { .. });
        if let Reply::Answer(events) = running.get() {
            let _ = events.send(Ok(event));
        }
        if is_last {
            running.remove();
        }
    }

    /// Starts workers until one runs.
    async fn restart(&mut self, lost: Lost) -> Next {
        let Lost {
            claim,
            path,
            mut reason,
        } = lost;
        let settings = self.settings.clone();
        loop {
            let delay = self.back_off.after_failure(Instant::now());
            tracing::error!(
                reason,
                ?delay,
                "the inference worker was lost; starting another"
            );
            self.state.send_modify(|state| {
                state.restarts += 1;
                state.status = WorkerStatus::Restarting {
                    reason: reason.clone(),
                    wait_seconds: delay.as_secs(),
                };
            });
            let start = async {
                sleep(delay).await;
                WorkerProcess::start(&settings, &path).await
            };
            match self.meanwhile(start, Wait::Patiently).await {
                Err(_) => return Next::Stop,
                Ok(Err(error)) => reason = error.to_string(),
                Ok(Ok(worker)) => {
                    return Next::Serve(self.announce(worker, claim, path));
                }
            }
        }
    }

    /// Waits for `future` while requests queue up.
    async fn meanwhile<F: Future>(
        &mut self,
        future: F,
        wait: Wait,
    ) -> Result<F::Output, NotLoaded> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Err(NotLoaded::Stopped),
                output = &mut future => return Ok(output),
                Some(command) = self.commands.recv() => self.waiting.take(command),
                () = self.waiting.patience_ends(), if wait != Wait::ToTheEnd => self.give_up_first(),
            }
            if wait == Wait::WhileWanted && self.waiting.is_empty() {
                return Err(NotLoaded::Unwanted);
            }
        }
    }

    fn give_up_first(&mut self) {
        let error = match self.state.borrow().status {
            WorkerStatus::Fetching => EngineError::ModelOnItsWay { retry_after: RETRY },
            WorkerStatus::Waiting => EngineError::ModelsInUse { retry_after: RETRY },
            _ => EngineError::WorkerUnavailable {
                retry_after: self.back_off.delay().max(Duration::from_secs(1)),
            },
        };
        if let Some(request) = self.waiting.pop() {
            request.reply.fail(error);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
