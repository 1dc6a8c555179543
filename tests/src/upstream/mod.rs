//! A scripted upstream: a server inside the test's process that answers as the test says, well or
//! badly, and remembers what it was asked.
//!
//! It writes HTTP by hand: a server library refuses to break the protocol.

mod asked;
mod gate;
mod reply;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::BytesMut;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

pub use asked::Asked;
pub use gate::Gate;
pub use reply::{Ending, Reply};

use crate::{PATIENCE, api::Api};
use reply::Connection;

/// A running upstream. Its drop ends it.
pub struct Upstream {
    url: String,
    seen: watch::Receiver<Seen>,
    server: JoinHandle<()>,
}

/// What an upstream has seen so far.
#[derive(Default)]
struct Seen {
    count: usize,
    asked: Vec<Asked>,
    deserted: usize,
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

impl Upstream {
    /// An upstream that answers each request as the script says.
    pub async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(script, true).await
    }

    /// The same, but it only counts its requests: for so many that they cannot be kept.
    pub async fn counting(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(script, false).await
    }

    async fn start_with(
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
        keeps: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (sender, seen) = watch::channel(Seen::default());
        let server = tokio::spawn(accept(listener, Arc::new(script), Arc::new(sender), keeps));
        Self {
            url: format!("http://{address}"),
            seen,
            server,
        }
    }

    /// Its address, like `http://127.0.0.1:4321`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The settings of a backend that asks it.
    #[must_use]
    pub fn backend(&self, api: Api) -> String {
        api.backend(&self.url)
    }

    /// What it was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.seen.borrow().asked.clone()
    }

    /// What it was last asked.
    #[must_use]
    pub fn last(&self) -> Asked {
        let seen = self.seen.borrow();
        seen.asked.last().expect("it was asked").clone()
    }

    /// How many requests it got so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.borrow().count
    }

    /// Waits until it has got this many requests.
    pub async fn wait_for(&self, count: usize) {
        self.wait(|seen| seen.count >= count).await;
    }

    /// Waits until this many clients have left before their answers had ended.
    pub async fn wait_for_deserted(&self, count: usize) {
        self.wait(|seen| seen.deserted >= count).await;
    }

    async fn wait(&self, is_so: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        let came = timeout(PATIENCE, seen.wait_for(is_so)).await.map(drop);
        came.unwrap_or_else(|_| panic!("it did not come: {:?}", self.asked()));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(
    listener: TcpListener,
    script: Arc<Script>,
    seen: Arc<watch::Sender<Seen>>,
    keeps: bool,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, script.clone(), seen.clone(), keeps));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    seen: Arc<watch::Sender<Seen>>,
    keeps: bool,
) {
    // A head and its body are written one after the other, and neither is to wait.
    stream.set_nodelay(true).expect("the connection is open");
    let mut buffer = BytesMut::new();
    while let Some(mut asked) = Asked::read(&mut stream, &mut buffer).await {
        seen.send_modify(|seen| {
            asked.number = seen.count;
            seen.count += 1;
            if keeps {
                seen.asked.push(asked.clone());
            }
        });
        match script(&asked).send(&mut stream).await {
            Connection::Open => {}
            Connection::Closed => return,
            Connection::Deserted => return seen.send_modify(|seen| seen.deserted += 1),
        }
    }
}
