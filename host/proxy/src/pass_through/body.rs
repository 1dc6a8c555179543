//! The bodies of requests and replies that are passed on.

use std::{collections::VecDeque, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use reqwest::Response;
use tokio::time::timeout;

use super::Passing;
use crate::{
    error::Error,
    reply::{Body, BrokenOff},
};

/// The most bytes of a body that are read to find the model that it names.
const PEEKED: usize = 64 << 10;

/// A request's body on its way to the upstream.
pub(crate) struct Upload {
    /// Pieces that were read already.
    begun: VecDeque<Bytes>,
    rest: Incoming,
    /// How long the client may take for the next piece.
    patience: Duration,
}

impl Upload {
    pub(super) fn new(body: Incoming, patience: Duration) -> Self {
        Self {
            begun: VecDeque::new(),
            rest: body,
            patience,
        }
    }

    /// Returns the start of the body, which is passed on all the same.
    pub(super) async fn peek(&mut self) -> Result<Bytes, Error> {
        let mut start = BytesMut::new();
        while start.len() < PEEKED
            && let Some(piece) = self.next().await?
        {
            start.extend_from_slice(&piece);
            self.begun.push_back(piece);
        }
        Ok(start.freeze())
    }

    /// Returns whether there is nothing to send.
    fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.rest.is_end_stream()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let limit = self.patience;
        loop {
            let frame = timeout(limit, self.rest.frame()).await;
            let Some(frame) = frame.map_err(|_| Error::BodyTimeout { timeout: limit })? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| Error::UnreadableBody(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Returns the body for the upstream's client; `None` if it is empty.
    pub(crate) fn into_body(self) -> Option<reqwest::Body> {
        if self.is_empty() {
            return None;
        }
        let pieces = stream::try_unfold(self, |mut upload| async {
            let piece = match upload.begun.pop_front() {
                Some(piece) => Some(piece),
                None => upload.next().await?,
            };
            Ok::<_, Error>(piece.map(|piece| (piece, upload)))
        });
        Some(reqwest::Body::wrap_stream(pieces))
    }
}

/// Returns the body of a reply that is passed on as it comes.
pub(super) fn reply_body(response: Response, passing: Passing) -> Body {
    let pieces = stream::try_unfold((response, passing), |(mut response, mut passing)| async {
        let piece = response.chunk().await.map_err(|_| BrokenOff)?;
        Ok(piece.map(|piece| {
            passing.bytes += piece.len();
            (Frame::data(piece), (response, passing))
        }))
    });
    StreamBody::new(pieces).boxed_unsync()
}
