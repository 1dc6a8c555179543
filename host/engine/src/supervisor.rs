//! Keeps a worker running, and carries requests to it and events back.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    future::{Future, pending},
    io::{self, ErrorKind},
    pin::pin,
    time::Duration,
};

use deja_chat::{ChatRequest, Event};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    EngineError, Settings, WorkerState, WorkerStatus,
    back_off::BackOff,
    command::{Command, Reply},
    protocol::{FromWorker, RequestId, ToWorker},
    worker_process::WorkerProcess,
};

/// A request that waits for a worker.
struct Waiting {
    id: RequestId,
    request: Box<ChatRequest>,
    reply: Reply,
    deadline: Instant,
}

/// The task that owns the worker process.
pub(crate) struct Supervisor {
    settings: Settings,
    commands: mpsc::UnboundedReceiver<Command>,
    state: watch::Sender<WorkerState>,
    stop: CancellationToken,
    waiting: VecDeque<Waiting>,
    running: HashMap<RequestId, Reply>,
    back_off: BackOff,
}

impl Supervisor {
    pub(crate) fn new(
        settings: Settings,
        commands: mpsc::UnboundedReceiver<Command>,
        state: watch::Sender<WorkerState>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            settings,
            commands,
            state,
            stop,
            waiting: VecDeque::new(),
            running: HashMap::new(),
            back_off: BackOff::default(),
        }
    }

    /// Serves until it is stopped, with this worker first and then with its successors.
    pub(crate) async fn run(mut self, worker: WorkerProcess) {
        let mut next = Some(worker);
        while let Some(worker) = next {
            next = match self.serve(worker).await {
                Some(reason) => self.restart(reason).await,
                None => None,
            };
        }
        self.state
            .send_modify(|state| state.status = WorkerStatus::Stopped);
    }

    /// Serves with one worker. Returns how it was lost, or nothing when the engine stops.
    async fn serve(&mut self, mut worker: WorkerProcess) -> Option<String> {
        let pid = worker.pid();
        self.state
            .send_modify(|state| state.status = WorkerStatus::Running { pid });
        tracing::info!(pid, "the inference worker runs");
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {
                worker.stop().await;
                None
            }
            error = self.relay(&mut worker) => {
                let reason = worker.how_it_ended(&error).await;
                for (_, reply) in self.running.drain() {
                    reply.fail(EngineError::WorkerLost { reason: reason.clone() });
                }
                Some(reason)
            }
        }
    }

    /// Carries messages in both directions until the worker is lost.
    async fn relay(&mut self, worker: &mut WorkerProcess) -> io::Error {
        loop {
            if let Err(error) = self.hand_over(worker).await {
                return error;
            }
            tokio::select! {
                // A worker's death is seen before a new request is given to it.
                biased;
                message = worker.receive() => match message {
                    Ok(message) => self.deliver(message),
                    Err(error) => return error,
                },
                Some(command) = self.commands.recv() => {
                    if let Err(error) = self.command(command, worker).await {
                        return error;
                    }
                }
            }
        }
    }

    /// Gives the worker the requests that waited for it. One that is too long for a frame fails; one
    /// that does not reach the worker waits for the next.
    async fn hand_over(&mut self, worker: &mut WorkerProcess) -> io::Result<()> {
        while let Some(waiting) = self.waiting.pop_front() {
            let (id, request) = (waiting.id, waiting.request.as_ref().clone());
            match worker.send(&waiting.reply.message(id, request)).await {
                Ok(()) => {
                    self.running.insert(id, waiting.reply);
                }
                Err(error) if error.kind() == ErrorKind::InvalidInput => {
                    let reason = error.to_string();
                    waiting.reply.fail(EngineError::Generation { reason });
                }
                Err(error) => {
                    self.waiting.push_front(waiting);
                    return Err(error);
                }
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
                self.queue(other);
                Ok(())
            }
        }
    }

    /// Passes a worker's message on to the request that it belongs to, if anyone still waits.
    fn deliver(&mut self, message: FromWorker) {
        match message {
            FromWorker::Event { id, event } => self.deliver_event(id, event),
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

    /// Starts workers until one runs. Returns nothing when the engine stops.
    async fn restart(&mut self, mut reason: String) -> Option<WorkerProcess> {
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
            self.meanwhile(sleep(delay)).await?;
            let settings = self.settings.clone();
            match self.meanwhile(WorkerProcess::start(&settings)).await? {
                Ok(worker) => return Some(worker),
                Err(error) => reason = error.to_string(),
            }
        }
    }

    /// Waits for `future` while requests queue up. Returns nothing when the engine stops.
    async fn meanwhile<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        loop {
            let first_deadline = self.waiting.front().map(|waiting| waiting.deadline);
            tokio::select! {
                () = self.stop.cancelled() => return None,
                output = &mut future => return Some(output),
                Some(command) = self.commands.recv() => self.queue(command),
                () = until(first_deadline) => self.give_up_first(),
            }
        }
    }

    fn queue(&mut self, command: Command) {
        match command {
            Command::Ask { id, request, reply } => {
                let deadline = Instant::now() + self.settings.patience;
                self.waiting.push_back(Waiting {
                    id,
                    request,
                    reply,
                    deadline,
                });
            }
            Command::Cancel { id } => self.waiting.retain(|waiting| waiting.id != id),
        }
    }

    /// All wait equally long, so the first of the queue is the first whose patience ends.
    fn give_up_first(&mut self) {
        if let Some(waiting) = self.waiting.pop_front() {
            let retry_after = self.back_off.delay().max(Duration::from_secs(1));
            waiting
                .reply
                .fail(EngineError::WorkerUnavailable { retry_after });
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
