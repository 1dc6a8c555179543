//! hyper alone: the ceiling for a server that is made with it. It reads each request whole and
//! gives the same reply to all.

use std::{net::SocketAddr, num::NonZero, thread};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::Incoming,
    header::{CONTENT_LENGTH, DATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    sync::oneshot,
};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// How the threads of a server share its connections.
#[derive(Clone, Copy)]
pub(crate) enum Threads {
    /// One runtime, whose threads take work from each other.
    Shared,
    /// A runtime for each core, with a listener of its own at the same address.
    PerCore,
}

/// A running server. Its drop stops it.
pub(crate) struct Plain {
    address: SocketAddr,
    _runtimes: Runtimes,
}

enum Runtimes {
    Shared(Option<Runtime>),
    /// What each thread waits for: that its sender is dropped.
    PerCore {
        _stop: Vec<oneshot::Sender<()>>,
    },
}

impl Plain {
    /// Starts it on a free port, to reply with these headers and this body.
    pub(crate) fn start(threads: Threads, headers: &HeaderMap, body: &Bytes) -> Self {
        let mut reply = Response::new(Full::new(body.clone()));
        *reply.headers_mut() = headers.clone();
        // hyper writes these.
        reply.headers_mut().remove(CONTENT_LENGTH);
        reply.headers_mut().remove(DATE);
        match threads {
            Threads::Shared => Self::shared(reply),
            Threads::PerCore => Self::per_core(&reply),
        }
    }

    fn shared(reply: Response<Full<Bytes>>) -> Self {
        let runtime = Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let entered = runtime.enter();
        let listener = listener(([127, 0, 0, 1], 0).into());
        let address = listener.local_addr().expect("it is bound");
        drop(entered);
        runtime.spawn(accept(listener, reply));
        Self {
            address,
            _runtimes: Runtimes::Shared(Some(runtime)),
        }
    }

    fn per_core(reply: &Response<Full<Bytes>>) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut stop = Vec::new();
        for _ in 0..cores {
            let (sender, stopped) = oneshot::channel();
            stop.push(sender);
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be made");
            let entered = runtime.enter();
            let listener = listener(address);
            address = listener.local_addr().expect("it is bound");
            drop(entered);
            let reply = reply.clone();
            thread::spawn(move || {
                runtime.spawn(accept(listener, reply));
                // An error says that the sender is gone.
                let _ = runtime.block_on(stopped);
            });
        }
        Self {
            address,
            _runtimes: Runtimes::PerCore { _stop: stop },
        }
    }

    /// Its address, like `http://127.0.0.1:4321`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Runtimes {
    fn drop(&mut self) {
        if let Self::Shared(runtime) = self
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}

fn listener(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.set_reuseport(true).expect("ports can be shared");
    socket.bind(address).expect("the port is free");
    socket.listen(BACKLOG).expect("it is bound")
}

async fn accept(listener: TcpListener, reply: Response<Full<Bytes>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("the listener is open");
        stream.set_nodelay(true).expect("the connection is open");
        tokio::spawn(serve(stream, reply.clone()));
    }
}

async fn serve(stream: TcpStream, reply: Response<Full<Bytes>>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let reply = reply.clone();
        async move {
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(reply)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that leaves is no failure.
    let _ = connection.await;
}
