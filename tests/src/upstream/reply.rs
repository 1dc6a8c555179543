//! What an upstream answers: a document, a stream, or something broken.

use std::{fmt::Write as _, future, io, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use super::Gate;
use crate::Coding;

/// One answer, as it goes over the wire.
#[derive(Clone)]
pub struct Reply {
    gate: Option<Gate>,
    takes: Duration,
    status: u16,
    headers: Vec<(String, String)>,
    length: Option<usize>,
    parts: Vec<Part>,
    ending: Ending,
}

/// One part of a body.
#[derive(Clone)]
enum Part {
    /// Bytes that are sent at once, as a chunk of their own where there are chunks.
    Bytes(Bytes),
    /// Goes on when the gate is open.
    Gate(Gate),
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As HTTP wants it.
    Whole,
    /// The connection is closed where more was promised.
    Close,
    /// The connection is closed in the middle of a chunk.
    HalfChunk,
    /// The connection is reset.
    Reset,
    /// Nothing more comes, and the connection stays open.
    Stall,
}

/// What became of a connection on which an answer was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It can take the next request.
    Open,
    /// The answer's own ending closed it.
    Closed,
    /// The client left before the answer had ended.
    Deserted,
}

impl Reply {
    /// A whole JSON document.
    #[must_use]
    pub fn json(document: &Value) -> Self {
        Self::body("application/json", document.to_string())
    }

    /// A whole body of some type.
    pub fn body(kind: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut reply = Self::empty().header("content-type", kind);
        reply.length = Some(body.len());
        reply.parts.push(Part::Bytes(body));
        reply
    }

    /// The start of a stream of server-sent events.
    #[must_use]
    pub fn stream() -> Self {
        Self::empty().header("content-type", "text/event-stream; charset=utf-8")
    }

    /// A stream of these frames.
    pub fn frames<T: Into<Bytes>>(frames: impl IntoIterator<Item = T>) -> Self {
        Self::stream().then_all(frames)
    }

    /// No answer ever.
    #[must_use]
    pub fn silence() -> Self {
        Self::empty().after(&Gate::closed())
    }

    /// No answer, and the connection reset.
    #[must_use]
    pub fn reset() -> Self {
        let mut reply = Self::empty();
        reply.ending = Ending::Reset;
        reply
    }

    fn empty() -> Self {
        Self {
            gate: None,
            takes: Duration::ZERO,
            status: 200,
            headers: Vec::new(),
            length: None,
            parts: Vec::new(),
            ending: Ending::Whole,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, once the gate is open.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The same after this time, which a model takes for it.
    #[must_use]
    pub fn taking(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    /// A stream with one frame more.
    #[must_use]
    pub fn then(self, frame: impl Into<Bytes>) -> Self {
        self.then_all([frame])
    }

    /// A stream with more frames.
    #[must_use]
    pub fn then_all<T: Into<Bytes>>(mut self, frames: impl IntoIterator<Item = T>) -> Self {
        let frames = frames.into_iter().map(|frame| Part::Bytes(frame.into()));
        self.parts.extend(frames);
        self
    }

    /// A stream that goes on when the gate is open.
    #[must_use]
    pub fn wait(mut self, gate: &Gate) -> Self {
        self.parts.push(Part::Gate(gate.clone()));
        self
    }

    /// The same with another ending.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// A document whose length is told as this many bytes more than come; then the connection ends.
    #[must_use]
    pub fn promising_more(mut self, bytes: usize) -> Self {
        self.length = self.length.map(|length| length + bytes);
        self.ending(Ending::Close)
    }

    /// A document whose body is compressed.
    pub async fn compressed(document: &Value, coding: Coding) -> Self {
        let body = coding.compress(document.to_string().as_bytes()).await;
        Self::body("application/json", body).header("content-encoding", coding.name())
    }

    /// Sends the answer.
    pub(super) async fn send(&self, stream: &mut TcpStream) -> Connection {
        match self.try_send(stream).await {
            Ok(connection) => connection,
            Err(_) => Connection::Deserted,
        }
    }

    async fn try_send(&self, stream: &mut TcpStream) -> io::Result<Connection> {
        if let Some(gate) = &self.gate {
            pass(gate, stream).await?;
        }
        if timeout(self.takes, deserted(stream)).await.is_ok() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if self.parts.is_empty() && self.ending == Ending::Reset {
            return self.end(stream).await;
        }
        stream.write_all(self.head().as_bytes()).await?;
        for part in &self.parts {
            match part {
                Part::Gate(gate) => pass(gate, stream).await?,
                Part::Bytes(bytes) if self.length.is_some() => stream.write_all(bytes).await?,
                Part::Bytes(bytes) => {
                    let size = format!("{:x}\r\n", bytes.len());
                    let chunk = [size.as_bytes(), bytes, b"\r\n"].concat();
                    stream.write_all(&chunk).await?;
                }
            }
        }
        self.end(stream).await
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = match self.length {
            Some(length) => write!(head, "content-length: {length}\r\n\r\n"),
            None => write!(head, "transfer-encoding: chunked\r\n\r\n"),
        };
        head
    }

    async fn end(&self, stream: &mut TcpStream) -> io::Result<Connection> {
        match self.ending {
            Ending::Whole if self.length.is_some() => Ok(Connection::Open),
            Ending::Whole => {
                stream.write_all(b"0\r\n\r\n").await?;
                Ok(Connection::Open)
            }
            Ending::Close => Ok(Connection::Closed),
            Ending::HalfChunk => {
                stream.write_all(b"40\r\ndata: {\"choices\"").await?;
                Ok(Connection::Closed)
            }
            Ending::Reset => {
                stream.set_zero_linger()?;
                Ok(Connection::Closed)
            }
            Ending::Stall => {
                deserted(stream).await;
                Ok(Connection::Deserted)
            }
        }
    }
}

/// Waits for the gate as long as the client does.
async fn pass(gate: &Gate, stream: &TcpStream) -> io::Result<()> {
    tokio::select! {
        () = gate.passed() => Ok(()),
        () = deserted(stream) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Waits until the client has left.
async fn deserted(stream: &TcpStream) {
    if let Ok(1..) = stream.peek(&mut [0]).await {
        future::pending::<()>().await;
    }
}
