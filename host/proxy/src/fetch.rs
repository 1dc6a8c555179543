//! Leads a flight: asks the backend, tells all who wait what comes, and stores it once it is whole.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deja_cache::{Endpoint, NewEntry, Permit, Question, Stored, Ticket};
use deja_chat::{Answer, FrameKind, Incomplete, Recorder};
use hyper::HeaderMap;
use tracing::debug;

use crate::{
    backend::{Content, FetchError, Frames, Order, Routed},
    pipeline::Proxy,
};

/// A step of an answer in the making.
#[derive(Clone)]
pub(crate) enum Progress {
    /// The backend begins to answer; its own headers.
    Begun(Arc<HeaderMap>),
    /// A frame of a stream, in the client's wire format.
    Frame(Bytes, FrameKind),
}

/// How an answer came, if it came at all.
#[derive(Clone)]
pub(crate) enum Landing {
    /// It is whole.
    Whole {
        answer: Arc<Answer>,
        /// The document as it came, if it came as one.
        document: Option<Bytes>,
        /// What became of it, if it was to be stored.
        stored: Option<Stored>,
    },
    /// It came to its end and is no whole answer: passed on as it came, never stored.
    Odd {
        /// It, if it came as a document.
        document: Option<Bytes>,
        /// What it lacks.
        error: FetchError,
    },
    /// It was a stream that ended too early: passed on as far as it came, never stored.
    Partial {
        /// Why it ended.
        error: FetchError,
        /// Whether the stream itself told of an error.
        is_told: bool,
    },
}

/// What sees an answer come.
pub(crate) type Follower = deja_cache::Follower<Progress, Landing, FetchError>;

type Lead = Permit<Progress, Landing, FetchError>;

/// All that it takes to fetch an answer.
pub(crate) struct Fetch {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) backend: Arc<Routed>,
    pub(crate) endpoint: Endpoint,
    pub(crate) order: Order,
    /// Where to store the answer, if it is to be stored.
    pub(crate) ticket: Option<Ticket>,
    /// The most bytes of an answer.
    pub(crate) limit: usize,
    /// Whether the request is held beside the answer.
    pub(crate) keeps_requests: bool,
}

/// Leads a flight, in a task of its own: the client may leave.
pub(crate) fn lead(permit: Lead, fetch: Fetch) {
    tokio::spawn(async move {
        let wanted = fetch.ticket.is_some();
        let fetched = tokio::select! {
            fetched = fetch.run(&permit) => fetched,
            // Nobody waits, and it is not to be stored.
            () = permit.deserted(), if !wanted => return,
        };
        match fetched {
            Ok((last, landing)) => permit.land(last, landing),
            Err(error) => permit.fail(error),
        }
    });
}

/// The last step of an answer, and how it landed.
type Fetched = Result<(Option<Progress>, Landing), FetchError>;

impl Fetch {
    async fn run(self, permit: &Lead) -> Fetched {
        let started = Instant::now();
        let source = self
            .backend
            .backend
            .fetch(self.order.clone(), self.limit)
            .await?;
        permit.tell(Progress::Begun(Arc::new(source.headers)));
        match source.content {
            Content::Document(document) => Ok((None, self.take_document(document, started).await)),
            Content::Stream(frames) => self.take_stream(frames, permit, started).await,
        }
    }

    async fn take_document(&self, document: Bytes, started: Instant) -> Landing {
        match Answer::from_document(self.endpoint, &document) {
            Ok(answer) => self.whole(answer, Some(document), started).await,
            Err(reason) => Landing::Odd {
                document: Some(document),
                error: self.incomplete(reason),
            },
        }
    }

    async fn take_stream(&self, mut frames: Frames, permit: &Lead, started: Instant) -> Fetched {
        let mut recorder = Recorder::new(self.endpoint);
        let mut is_told = false;
        while let Some(frame) = frames.next().await.transpose()? {
            let kind = recorder.push(&frame);
            let frame = Progress::Frame(frame, kind);
            if kind == FrameKind::End {
                // Stored before anybody sees the end, so that who asks again then gets a hit.
                let landing = match recorder.finish() {
                    Ok(answer) => self.whole(answer, None, started).await,
                    Err(reason) => Landing::Odd {
                        document: None,
                        error: self.incomplete(reason),
                    },
                };
                return Ok((Some(frame), landing));
            }
            is_told |= kind == FrameKind::Error;
            permit.tell(frame);
        }
        let reason = recorder.finish().err().unwrap_or(Incomplete::NoEnd);
        let error = self.incomplete(reason);
        Ok((None, Landing::Partial { error, is_told }))
    }

    fn incomplete(&self, reason: Incomplete) -> FetchError {
        let backend = self.backend.name.clone();
        debug!(backend, %reason, "passed on, not stored");
        FetchError::BrokenOff {
            backend,
            reason: reason.to_string(),
        }
    }

    async fn whole(&self, answer: Answer, document: Option<Bytes>, started: Instant) -> Landing {
        let took = started.elapsed();
        self.proxy.metrics.fetched(&self.backend.name, took);
        let answer = Arc::new(answer);
        let stored = self.store(answer.clone(), took).await;
        Landing::Whole {
            answer,
            document,
            stored,
        }
    }

    /// Stores a whole answer, off the threads that serve: the eviction policy takes its time.
    async fn store(&self, answer: Arc<Answer>, cost: Duration) -> Option<Stored> {
        let ticket = self.ticket.clone()?;
        let (proxy, endpoint) = (self.proxy.clone(), self.endpoint);
        let keep = self.keeps_requests;
        let store = move || {
            let stored = proxy.cache.insert(NewEntry {
                key: ticket.key,
                answer,
                question: Question::new(endpoint, &ticket.body, keep),
                cost,
                ttl: ticket.ttl,
                tags: ticket.tags,
            });
            debug!(key = %ticket.key, ?stored, "an answer came in whole");
            stored
        };
        tokio::task::spawn_blocking(store).await.ok()
    }
}
