//! The listener: accepts connections until it is told to stop, then lets them end.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, info, warn};

use crate::{hosts::Ends, pipeline::Proxy, router, settings::ServerSettings};

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

    /// Waits for a place, and then for somebody to take it.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> (OwnedSemaphorePermit, io::Result<(TcpStream, SocketAddr)>) {
        let place = places.clone().acquire_owned().await;
        let place = place.expect("nobody closes the semaphore");
        (place, self.listener.accept().await)
    }

    /// Serves until `stop` is ready, and then until the answers under way have ended or the drain
    /// time is over.
    pub async fn run(self, proxy: Arc<Proxy>, stop: impl Future<Output = ()>) {
        let connections = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.settings.max_connections));
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                (place, accepted) = self.accept(&places) => match accepted {
                    Ok((stream, peer)) => {
                        let ends = Ends {
                            peer: peer.ip(),
                            listen: self.address.ip(),
                        };
                        serve(stream, ends, place, &proxy, &connections, &self.settings);
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
    ends: Ends,
    place: OwnedSemaphorePermit,
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
        async move { Ok::<_, Infallible>(router::route(&proxy, request, ends).await) }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(settings.write_timeout));
    // HTTP/1 only: nobody speaks version 2 without TLS but who means harm, by windows that stay
    // shut and heads that never end.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header_bytes.max(SMALLEST_BUFFER))
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection broke off");
        }
        drop(place);
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
