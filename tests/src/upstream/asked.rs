//! What an upstream was asked.

use bytes::{Buf as _, Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How many requests came before it.
    pub number: usize,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// The body's JSON document; null if it holds none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's value; empty if it did not come.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value
            .transpose()
            .expect("a header is text")
            .unwrap_or_default()
    }

    /// Whether the answer is to be a stream.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        self.json()["stream"] == true
    }

    /// Reads the next request from a connection, whose first bytes may be in the buffer already.
    pub(super) async fn read(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Self> {
        loop {
            if let Some(asked) = Self::take(buffer) {
                return Some(asked);
            }
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Takes a request out of the buffer, if it is there as a whole.
    fn take(buffer: &mut BytesMut) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(buffer).expect("requests are HTTP");
        let httparse::Status::Complete(head) = parsed else {
            return None;
        };
        let mut asked = Self {
            number: 0,
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            headers: request.headers.iter().map(owned).collect(),
            body: Bytes::new(),
        };
        assert_eq!(asked.header("transfer-encoding"), "", "{asked:?}");
        let length = asked.header("content-length").parse().unwrap_or(0);
        if buffer.len() < head + length {
            return None;
        }
        buffer.advance(head);
        asked.body = buffer.split_to(length).freeze();
        Some(asked)
    }
}

fn owned(header: &httparse::Header<'_>) -> (HeaderName, HeaderValue) {
    (
        header.name.parse().expect("a header has a name"),
        HeaderValue::from_bytes(header.value).expect("and a value"),
    )
}
