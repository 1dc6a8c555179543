//! A worker process, seen from the engine.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    path::Path,
    process::Stdio,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::{
    EngineError, Settings, WorkerCommand,
    protocol::{self, FromWorker, ToWorker},
};

/// How long a worker may take to end by itself: it looks for the wish between two tokens.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running worker with its model loaded. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    child: Child,
    link: Link,
    pid: u32,
    bytes: u64,
}

impl WorkerProcess {
    /// Starts a worker and waits until it has loaded the model at this place.
    pub(crate) async fn start(settings: &Settings, model: &Path) -> Result<Self, EngineError> {
        let (mut child, mut link) = spawn(&settings.worker).map_err(|error| {
            let program = settings.worker.program.display();
            EngineError::WorkerStart {
                reason: format!("{program}: {error}"),
            }
        })?;
        let pid = child.id().unwrap_or_default();
        let loaded = timeout(settings.start_timeout, link.load(settings, model))
            .await
            .map_err(|_| EngineError::StartTimeout {
                timeout: settings.start_timeout,
            })?;
        match loaded {
            Ok(bytes) => Ok(Self {
                child,
                link,
                pid,
                bytes,
            }),
            Err(LoadError::Refused(error)) => Err(error),
            Err(LoadError::Link(error)) => Err(EngineError::WorkerStart {
                reason: how_it_ended(&mut child, &error).await,
            }),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Bytes of memory that it took once the model was loaded.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends one message. An error says that this worker is lost.
    pub(crate) async fn send(&mut self, message: &ToWorker) -> io::Result<()> {
        self.link.send(message).await
    }

    /// The next message; safe to abandon. An error says that this worker is lost.
    pub(crate) async fn receive(&mut self) -> io::Result<FromWorker> {
        self.link.receive().await
    }

    /// How a worker that is lost ended, for people.
    pub(crate) async fn how_it_ended(mut self, error: &io::Error) -> String {
        how_it_ended(&mut self.child, error).await
    }

    /// Ends the worker: it is asked first, and killed if it does not listen.
    pub(crate) async fn stop(self) {
        let Self {
            mut child,
            link,
            pid,
            ..
        } = self;
        drop(link);
        if timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
            tracing::warn!(pid, "the inference worker does not end: killing it");
            // An error says that it ended meanwhile.
            let _ = child.kill().await;
        }
    }
}

/// Starts the program with one end of a socket pair as its standard input.
///
/// It leads a process group of its own, so that a Ctrl-C at the terminal reaches only the parent,
/// which first lets the running answers end.
fn spawn(command: &WorkerCommand) -> io::Result<(Child, Link)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(&command.program)
        .args(&command.arguments)
        // The server's limits on its heaps are not for a model, whose blocks are large.
        .env_remove("GLIBC_TUNABLES")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((
        child,
        Link(Framed::new(UnixStream::from_std(ours)?, protocol::codec())),
    ))
}

/// The exit status of a process whose link broke with this error.
async fn how_it_ended(child: &mut Child, error: &io::Error) -> String {
    match timeout(STOP_TIMEOUT, child.wait()).await {
        Ok(Ok(status)) => format!("it ended with {status}"),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it lives but does not answer: {error}"),
    }
}

/// The engine's end of the socket pair.
#[derive(Debug)]
struct Link(Framed<UnixStream, LengthDelimitedCodec>);

enum LoadError {
    /// The worker says why.
    Refused(EngineError),
    /// The worker is gone, or speaks nonsense.
    Link(io::Error),
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Link(error)
    }
}

impl Link {
    async fn send(&mut self, message: &ToWorker) -> io::Result<()> {
        self.0.send(protocol::encode(message)?).await
    }

    async fn receive(&mut self) -> io::Result<FromWorker> {
        match self.0.next().await {
            Some(frame) => protocol::decode(&frame?),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The conversation from the worker's hello to the loaded model; how many bytes that takes.
    async fn load(&mut self, settings: &Settings, model: &Path) -> Result<u64, LoadError> {
        match self.receive().await? {
            FromWorker::Hello {
                version: protocol::VERSION,
            } => {}
            other => {
                return Err(LoadError::Refused(EngineError::WorkerStart {
                    reason: format!(
                        "it is of another build: expected protocol version {}, got {other:?}",
                        protocol::VERSION
                    ),
                }));
            }
        }
        self.send(&ToWorker::Load {
            model: model.to_owned(),
            context_length: settings.context_length,
            limits: settings.limits.clone(),
        })
        .await?;
        match self.receive().await? {
            FromWorker::Loaded { bytes } => Ok(bytes),
            FromWorker::LoadFailed { error } => Err(LoadError::Refused(error)),
            other => Err(
                io::Error::other(format!("it says {other:?} before the model is loaded")).into(),
            ),
        }
    }
}
