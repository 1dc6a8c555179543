//! The listener: accepts connections until it is told to stop, then lets them end.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, info, warn};

use crate::{pipeline::Proxy, router, settings::ServerSettings};

/// How long the listener rests when the system has no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Hyper reads with no less.
const SMALLEST_BUFFER: usize = 8192;

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another program has the address.
    #[error("{0} is in use by another program; choose another `server.listen`, or stop it")]
    AddressInUse(SocketAddr),
    /// The system refuses the address.
    #[error("cannot listen on {address}: {source}")]
    CannotListen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A server that listens, and serves once it is run.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: ServerSettings,
}

impl Server {
    /// Takes the address. Clients that connect now wait until the server runs.
    pub async fn bind(settings: ServerSettings) -> Result<Self, ServerError> {
        let address = settings.listen;
        let error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
            _ => ServerError::CannotListen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        Ok(Self {
            listener,
            address,
            settings,
        })
    }

    /// The address, with the port that the system chose where none was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, and then until the answers under way have ended or the drain
    /// time is over.
    pub async fn run(self, proxy: Arc<Proxy>, stop: impl Future<Output = ()>) {
        let connections = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        serve(stream, peer.ip(), &proxy, &connections, &self.settings);
                    }
                    Err(error) => {
                        warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut stop => break,
            }
        }
        drop(self.listener);
        drain(connections, self.settings.drain_timeout).await;
    }
}

fn serve(
    stream: TcpStream,
    peer: IpAddr,
    proxy: &Arc<Proxy>,
    connections: &GracefulShutdown,
    settings: &ServerSettings,
) {
    // Small frames of a stream go out at once, each as it comes.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "the connection keeps its delay");
    }
    let proxy = proxy.clone();
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(router::route(&proxy, request, peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header_bytes.max(SMALLEST_BUFFER));
    let most = u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(most);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(settings.write_timeout));
    let connection = builder
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(error, "a connection broke off");
        }
    });
}

async fn drain(connections: GracefulShutdown, timeout: Duration) {
    let open = connections.count();
    if open > 0 {
        info!(open, "waiting for connections to end");
    }
    if tokio::time::timeout(timeout, connections.shutdown())
        .await
        .is_err()
    {
        warn!(?timeout, "connections were cut off");
    }
}
