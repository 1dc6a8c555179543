//! The worker process: reads requests from its standard input, which is a socket, and writes
//! events back.

use std::{
    io::{
        self,
        ErrorKind::{BrokenPipe, ConnectionReset},
        Read, Write,
    },
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread,
};

use bytes::BytesMut;
use deja_wire::ChatRequest;
use mlx_rs::memory;
use rustix::process::{Signal, getpid, kill_process};
use serde::Serialize;
use tokio_util::codec::{Decoder, Encoder};

use crate::{
    EngineError, Limits,
    embedder::Embedder,
    language_model::{LanguageModel, count},
    protocol::{self, FromWorker, RequestId, ToWorker},
    scheduler::Scheduler,
};

const READ_BYTES: usize = 64 << 10;

/// What a worker process does: `deja worker` calls it. It ends the process when the engine closes its
/// end of the socket, even by dying; it returns only what went wrong. It logs with `tracing`; the caller installs a subscriber.
#[must_use]
pub fn run_worker() -> ExitCode {
    match serve() {
        Ok(()) => end_at_once(),
        Err(error) => {
            tracing::error!(%error, "the inference worker fails");
            ExitCode::FAILURE
        }
    }
}

/// Ends the process without its libraries' exit handlers: that of `OpenBLAS` waits for its threads,
/// and sometimes for ever. Nothing is left to be written.
fn end_at_once() -> ExitCode {
    // It does not return; an error would mean that the usual end has to do.
    let _ = kill_process(getpid(), Signal::KILL);
    ExitCode::SUCCESS
}

/// Reads on this thread; MLX, whose arrays are bound to their thread, has one of its own.
fn serve() -> io::Result<()> {
    let socket = socket()?;
    let outbox = Outbox(socket.try_clone()?);
    let (sender, inbox) = channel();
    let mlx = thread::Builder::new()
        .name("mlx".into())
        .spawn(move || infer(&inbox, outbox))?;
    let read = forward(socket, &sender);
    drop(sender);
    let inferred = mlx
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the MLX thread panicked")));
    match inferred.and(read) {
        // The engine closed the socket while something was on its way.
        Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => Ok(()),
        outcome => outcome,
    }
}

/// The standard input as the socket that the engine made it.
fn socket() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.local_addr().map_err(|_| {
        io::Error::other("the standard input is no socket: only the engine starts workers")
    })?;
    Ok(socket)
}

/// Passes on what the engine says until it closes the socket, or nobody listens any more.
fn forward(mut socket: UnixStream, inbox: &Sender<ToWorker>) -> io::Result<()> {
    let (mut codec, mut bytes, mut chunk) =
        (protocol::codec(), BytesMut::new(), vec![0; READ_BYTES]);
    loop {
        match socket.read(&mut chunk)? {
            0 => return Ok(()),
            length => bytes.extend_from_slice(&chunk[..length]),
        }
        while let Some(frame) = codec.decode(&mut bytes)? {
            if inbox.send(protocol::decode(&frame)?).is_err() {
                return Ok(());
            }
        }
    }
}

/// The worker's end of the socket, for writing. Dropping it closes the socket, so that reading ends
/// when the MLX thread does.
struct Outbox(UnixStream);

impl Outbox {
    fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        let mut frame = BytesMut::new();
        protocol::codec().encode(protocol::encode(message)?, &mut frame)?;
        self.0.write_all(&frame)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        // An error says that it is closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// The MLX thread: loads the model, then answers requests.
fn infer(inbox: &Receiver<ToWorker>, mut outbox: Outbox) -> io::Result<()> {
    outbox.send(&FromWorker::Hello {
        version: protocol::VERSION,
    })?;
    let Ok(ToWorker::Load {
        model: path,
        context_length,
        limits,
    }) = inbox.recv()
    else {
        return Ok(());
    };
    let loaded = limit_mlx(&limits).map_err(EngineError::from);
    let loaded = loaded.and_then(|()| LanguageModel::load(&path, context_length));
    let model = match loaded {
        Ok(model) => model,
        Err(error) => return outbox.send(&FromWorker::LoadFailed { error }),
    };
    outbox.send(&FromWorker::Loaded {
        bytes: memory::active_memory().unwrap_or(0) as u64,
    })?;
    let mut worker = Worker {
        model: &model,
        embedder: Embedder::new(&model, limits.kv_bytes),
        scheduler: Scheduler::new(&model, limits),
        outbox,
    };
    worker.run(inbox)
}

/// Sets MLX's own limits.
fn limit_mlx(limits: &Limits) -> mlx_rs::error::Result<()> {
    if let Some(bytes) = limits.memory_bytes {
        memory::set_memory_limit(bytes)?;
    }
    if let Some(bytes) = limits.spare_bytes {
        memory::set_cache_limit(bytes)?;
    }
    if let Some(bytes) = limits.wired_bytes {
        memory::set_wired_limit(bytes)?;
    }
    Ok(())
}

/// Speaks with the engine; looks for messages between two steps.
struct Worker<'a> {
    model: &'a LanguageModel,
    scheduler: Scheduler<'a>,
    embedder: Embedder<'a>,
    outbox: Outbox,
}

impl Worker<'_> {
    fn run(&mut self, inbox: &Receiver<ToWorker>) -> io::Result<()> {
        loop {
            let message = if self.scheduler.is_idle() && self.embedder.is_idle() {
                inbox.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                inbox.try_recv()
            };
            let replies = match message {
                Ok(message) => self.take(message),
                Err(TryRecvError::Empty) => self.step(),
                Err(TryRecvError::Disconnected) => return Ok(()),
            };
            for reply in replies {
                self.outbox.send(&reply)?;
            }
        }
    }

    fn step(&mut self) -> Vec<FromWorker> {
        let mut replies = Vec::new();
        if !self.scheduler.is_idle() {
            replies = self.scheduler.step();
        }
        replies.extend(self.embedder.step());
        replies
    }

    fn take(&mut self, message: ToWorker) -> Vec<FromWorker> {
        match message {
            ToWorker::Generate { id, request } => return self.scheduler.generate(id, &request),
            ToWorker::CountTokens { id, request } => return vec![self.count_tokens(id, &request)],
            ToWorker::Embed { id, request } => self.embedder.add(id, request),
            ToWorker::Cancel { id } => {
                self.scheduler.cancel(id);
                self.embedder.cancel(id);
            }
            ToWorker::Load { .. } => tracing::warn!("a worker loads only one model"),
        }
        Vec::new()
    }

    fn count_tokens(&self, id: RequestId, request: &ChatRequest) -> FromWorker {
        match self.model.prompt(&request.prompt) {
            Ok(prompt) => FromWorker::TokenCount {
                id,
                tokens: count(&prompt),
            },
            Err(error) => FromWorker::Failed { id, error },
        }
    }
}
