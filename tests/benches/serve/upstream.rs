//! The model of this benchmark: answers at once, always the same.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Channel, Either, Full, channel::Sender};
use hyper::{
    Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// How many pieces of text a stream has.
const CHUNKS: usize = 20;

type Body = Either<Full<Bytes>, Channel<Bytes>>;

/// A running server of `OpenAI`'s API.
pub(crate) struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    document: Bytes,
    requests: AtomicU64,
    releases: Semaphore,
}

/// What matters of a request.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    stream: bool,
}

impl Upstream {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            document: Bytes::from(document().to_string()),
            requests: AtomicU64::new(0),
            releases: Semaphore::new(0),
        });
        tokio::spawn(accept(listener, state.clone()));
        Self { address, state }
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, like `http://127.0.0.1:4321`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has answered.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Lets one stream go on after its first chunk.
    pub(crate) fn release(&self) {
        self.state.releases.add_permits(1);
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.expect("the listener is open");
        stream.set_nodelay(true).expect("the connection is open");
        tokio::spawn(serve(stream, state.clone()));
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(move |request| answer(request, state.clone()));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that leaves is no failure.
    let _ = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let asked: Asked = serde_json::from_slice(&body).expect("the request is JSON");
    state.requests.fetch_add(1, Ordering::Relaxed);
    if !asked.stream {
        let document = Full::new(state.document.clone());
        return Ok(response("application/json", Either::Left(document)));
    }
    let (sender, body) = Channel::new(CHUNKS);
    tokio::spawn(stream(sender, state));
    Ok(response("text/event-stream", Either::Right(body)))
}

fn response(content_type: &str, body: Body) -> Response<Body> {
    let response = Response::builder().header(CONTENT_TYPE, content_type);
    response.body(body).expect("the header is sound")
}

/// Sends the first chunk at once, and the others when the benchmark has seen it. The reader may be
/// gone by then.
async fn stream(mut sender: Sender<Bytes, Infallible>, state: Arc<State>) {
    let mut frames = (0..CHUNKS).map(chunk);
    let first = frames.next().expect("there are chunks");
    let _ = sender.send_data(frame(&first.to_string())).await;
    let release = state.releases.acquire().await;
    release.expect("it is never closed").forget();
    for chunk in frames {
        let _ = sender.send_data(frame(&chunk.to_string())).await;
    }
    let _ = sender.send_data(frame("[DONE]")).await;
}

fn frame(data: &str) -> Bytes {
    format!("data: {data}\n\n").into()
}

fn chunk(index: usize) -> Value {
    let is_last = index + 1 == CHUNKS;
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{
            "index": 0,
            "delta": {"role": "assistant", "content": " word"},
            "finish_reason": is_last.then_some("stop"),
        }],
    })
}

fn document() -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "The capital of France is Paris."},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 14, "completion_tokens": 8, "total_tokens": 22},
    })
}
