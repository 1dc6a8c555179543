//! Leads a flight: asks the backend, tells all who wait what comes, and stores it once it is whole.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deja_cache::{Endpoint, Keep, NewEntry, Permit, Question, ScopePart, Stored, Tenant, Ticket};
use deja_wire::{Answer, Fragment, Frame, FrameKind, Fresh, Incomplete};
use hyper::HeaderMap;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tracing::debug;

use crate::{
    backend::{AnswerLimits, Content, FetchError, Frames, Order, Routed},
    budget::Share,
    metrics::Place,
    pipeline::Proxy,
    tenants::TenantPlace,
};

/// A step of an answer in the making.
#[derive(Clone)]
pub(crate) enum Progress {
    /// The backend begins to answer.
    Begun {
        /// Its own headers.
        headers: Arc<HeaderMap>,
        /// What the answer takes of the memory for all, as long as anybody holds this step.
        _taken: Arc<Share>,
    },
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
        /// It, if it came as a document or can be told as one.
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
    /// What the order holds of the memory for bodies.
    pub(crate) _body: Arc<Share>,
    /// Where to store the answer, if it is to be stored.
    pub(crate) ticket: Option<Ticket>,
    /// The choices or embeddings that the request wants.
    pub(crate) parts: usize,
    /// What the answer may take.
    pub(crate) limits: AnswerLimits,
    /// The tenant that the answer belongs to, where callers are kept apart.
    pub(crate) tenant: Option<Tenant>,
    /// Whether the request is held beside the answer.
    pub(crate) keeps_requests: bool,
    /// What besides its body keeps the request apart from others; empty where it is not held.
    pub(crate) scope: Box<[ScopePart]>,
    /// Held until the answer is there: its client may have left long before.
    pub(crate) _place: Place,
    /// The same of the places of its tenant.
    pub(crate) _tenant_place: Option<TenantPlace>,
}

/// Leads a flight, in a task of its own: the client may leave.
pub(crate) fn lead(permit: Lead, fetch: Fetch) {
    tokio::spawn(async move {
        let wanted = fetch.ticket.is_some();
        let fetched = tokio::select! {
            fetched = fetch.run_in_time(&permit) => fetched,
            // Nobody waits, and it is not to be stored.
            () = permit.deserted(), if !wanted => return,
        };
        match fetched {
            Ok(Fetched {
                last,
                landing,
                rest,
            }) => {
                permit.land(last, landing);
                if let Some(mut rest) = rest {
                    // It fails where the backend goes on for too long.
                    let _ = timeout(DRAIN, rest.exhaust()).await;
                }
            }
            Err(error) => permit.fail(error),
        }
    });
}

/// How long a backend may go on after its answer's end before its connection is given up.
const DRAIN: Duration = Duration::from_secs(1);

/// An answer that came to its end.
struct Fetched {
    /// Its last step.
    last: Option<Progress>,
    landing: Landing,
    /// What may still come, and is of no interest.
    rest: Option<Frames>,
}

impl Fetch {
    /// Fetches the answer, whose backend has so much time and no more, however it spends it.
    async fn run_in_time(self, permit: &Lead) -> Result<Fetched, FetchError> {
        let Some(limit) = self.backend.backend.answer_timeout() else {
            return self.run(permit).await;
        };
        let backend = self.backend.clone();
        let overdue = |_| FetchError::Overdue {
            backend: backend.name.clone(),
            timeout: limit,
        };
        timeout(limit, self.run(permit)).await.map_err(overdue)?
    }

    async fn run(self, permit: &Lead) -> Result<Fetched, FetchError> {
        let recording = Recording::begin(&self, permit);
        let order = self.order.clone();
        let source = self.backend.backend.fetch(order, &self.limits).await?;
        permit.tell(Progress::Begun {
            headers: Arc::new(source.headers),
            _taken: self.limits.taken(),
        });
        match source.content {
            Content::Document(document) => Ok(Fetched {
                last: None,
                landing: recording.document(document).await,
                rest: None,
            }),
            Content::Unstorable { document, reason } => Ok(Fetched {
                last: None,
                landing: Landing::Odd {
                    document: Some(document),
                    error: recording.incomplete(reason),
                },
                rest: None,
            }),
            Content::Stream(frames) => recording.stream(*frames).await,
        }
    }
}

/// An answer that is being fetched, and perhaps to be stored.
struct Recording<'a> {
    fetch: &'a Fetch,
    permit: &'a Lead,
    started: Instant,
    /// What is stored beside it, made while the backend is at work.
    question: Option<JoinHandle<Question>>,
}

impl<'a> Recording<'a> {
    fn begin(fetch: &'a Fetch, permit: &'a Lead) -> Self {
        let (endpoint, keeps) = (fetch.endpoint, fetch.keeps_requests);
        let body = fetch.ticket.as_ref().map(|ticket| ticket.body.clone());
        let question = body.map(|body| {
            let (limits, scope) = (fetch.limits.clone(), fetch.scope.clone());
            spawn_blocking(move || {
                let values = keeps.then(|| limits.take_values(&body));
                let (keep, _values) = match values {
                    None => (Keep::Nothing, None),
                    Some(Ok(values)) => (Keep::All, values),
                    // Without memory for its values it goes without a summary.
                    Some(Err(_)) => (Keep::Body, None),
                };
                Question::new(endpoint, &body, keep).in_scope(scope)
            })
        });
        Self {
            fetch,
            permit,
            started: Instant::now(),
            question,
        }
    }

    /// Takes an answer in that came as a document.
    async fn document(self, document: Bytes) -> Landing {
        let error = match self.parsed(&document).await {
            Ok(Ok(answer)) => return self.whole(answer, Some(document)).await,
            Ok(Err(reason)) => self.incomplete(reason),
            Err(error) => {
                debug!(backend = self.fetch.backend.name, %error, "passed on, not stored");
                error
            }
        };
        Landing::Odd {
            document: Some(document),
            error,
        }
    }

    /// The answer that a document is; a large one is parsed beside the threads that serve.
    async fn parsed(&self, document: &Bytes) -> Result<Result<Answer, Incomplete>, FetchError> {
        let endpoint = self.fetch.endpoint;
        let Some(values) = self.fetch.limits.take_values(document)? else {
            return Ok(Answer::from_document(endpoint, document));
        };
        let document = document.clone();
        let parse = move || {
            let _values = values;
            Answer::from_document(endpoint, &document)
        };
        spawn_blocking(parse)
            .await
            .map_err(|_| self.incomplete(Incomplete::Broken))
    }

    /// Takes an answer in frame by frame, and passes each on.
    async fn stream(self, mut frames: Frames) -> Result<Fetched, FetchError> {
        let mut is_told = false;
        while let Some(Frame { bytes, kind }) = frames.next().await.transpose()? {
            let frame = Progress::Frame(bytes, kind);
            if kind == FrameKind::End {
                return Ok(Fetched {
                    last: Some(frame),
                    landing: self.ended(frames.finish()).await,
                    rest: Some(frames),
                });
            }
            is_told |= kind == FrameKind::Error;
            self.permit.tell(frame);
        }
        let fragment = frames.finish().err();
        let reason = fragment.map_or(Incomplete::NoEnd, |fragment| fragment.reason);
        let error = self.incomplete(reason);
        Ok(Fetched {
            last: None,
            landing: Landing::Partial { error, is_told },
            rest: None,
        })
    }

    async fn ended(self, answer: Result<Answer, Fragment>) -> Landing {
        match answer {
            Ok(answer) => self.whole(answer, None).await,
            Err(Fragment { reason, document }) => Landing::Odd {
                document: document.map(|document| document.to_string().into()),
                error: self.incomplete(reason),
            },
        }
    }

    /// An answer is whole: stored before anybody sees its end, so that who asks again then gets a
    /// hit.
    async fn whole(self, answer: Answer, document: Option<Bytes>) -> Landing {
        if answer.parts() < self.fetch.parts {
            let document = document.unwrap_or_else(|| answer.document(&Fresh::new()));
            return Landing::Odd {
                document: Some(document),
                error: self.incomplete(Incomplete::TooFewChoices),
            };
        }
        let took = self.started.elapsed();
        let fetch = self.fetch;
        fetch.proxy.metrics.fetched(&fetch.backend.name, took);
        let answer = Arc::new(answer);
        let stored = self.store(answer.clone(), took).await;
        Landing::Whole {
            answer,
            document,
            stored,
        }
    }

    async fn store(self, answer: Arc<Answer>, cost: Duration) -> Option<Stored> {
        let ticket = self.fetch.ticket.as_ref()?;
        let question = self.question?.await.ok()?;
        let entry = NewEntry {
            key: ticket.key,
            answer,
            question,
            cost,
            ttl: ticket.ttl,
            tags: ticket.tags.clone(),
            tenant: self.fetch.tenant,
        };
        let cache = &self.fetch.proxy.cache;
        let stored = cache.insert_fetched(entry, self.permit.fetch()?);
        debug!(key = %ticket.key, ?stored, "an answer came in whole");
        Some(stored)
    }

    fn incomplete(&self, reason: Incomplete) -> FetchError {
        let backend = self.fetch.backend.name.clone();
        debug!(backend, %reason, "passed on, not stored");
        FetchError::BrokenOff {
            backend,
            reason: reason.to_string(),
        }
    }
}
