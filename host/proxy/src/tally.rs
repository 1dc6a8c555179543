//! Notes what became of a request, exactly once: when its reply ends, or when its client leaves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use deja_cache::{Edit, Endpoint, Entry, Key, Ledger, Outcome, OutcomeKind, now_ms};
use deja_trace::Recorder;
use deja_wire::Answer;
use hyper::StatusCode;
use tracing::{info, warn};

use crate::{
    backend::Routed,
    conversations::Keeping,
    decode::Call,
    error::Error,
    exchange::{Ended, Exchange},
    metrics::{Metrics, Place},
    tenants::TenantPlace,
};

/// What is known of a request's outcome so far. Its drop records it; until something better is
/// known, that is an error.
pub(crate) struct Tally {
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    endpoint: Endpoint,
    started: Instant,
    key: Option<Key>,
    outcome: Outcome,
    status: StatusCode,
    /// Why it was not answered, or not to the end.
    trouble: Option<String>,
    place: Option<Place>,
    tenant_place: Option<TenantPlace>,
    /// What is recorded, where traffic is.
    exchange: Option<Exchange>,
    /// What keeps the response, if the client may continue it.
    keeping: Option<Keeping>,
}

impl Tally {
    pub(crate) fn start(
        ledger: Arc<Ledger>,
        metrics: Arc<Metrics>,
        recorder: Option<Arc<Recorder>>,
        endpoint: Endpoint,
    ) -> Self {
        let outcome = Outcome {
            at_ms: 0,
            kind: OutcomeKind::Error,
            first_us: 0,
            latency_us: 0,
            saved_ms: 0,
            prompt_tokens: 0,
            output_tokens: 0,
            bytes: 0,
        };
        Self {
            ledger,
            metrics,
            endpoint,
            started: Instant::now(),
            key: None,
            outcome,
            status: client_left(),
            trouble: Some("the client left".to_owned()),
            place: None,
            tenant_place: None,
            exchange: recorder.map(|recorder| Exchange::new(recorder, endpoint)),
            keeping: None,
        }
    }

    /// Takes one of `limit` places, until the request has come to its end.
    pub(crate) fn admit(&mut self, limit: usize) -> Result<(), Error> {
        self.place = self.metrics.admit(limit);
        match self.place {
            Some(_) => Ok(()),
            None => Err(Error::Busy { limit }),
        }
    }

    /// Keeps one of its tenant's places until then.
    pub(crate) fn keep(&mut self, place: Option<TenantPlace>) {
        self.tenant_place = place;
    }

    /// The request was read.
    pub(crate) fn received(&mut self, call: &Call) {
        if let Some(exchange) = &mut self.exchange {
            exchange.received(call);
        }
    }

    /// It goes to this backend, if the cache does not answer it.
    pub(crate) fn routed(&mut self, backend: &Arc<Routed>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.routed(backend.clone());
        }
    }

    /// The keyers asked for these edits.
    pub(crate) fn edited(&mut self, edits: Vec<(String, Edit)>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.edited(edits);
        }
    }

    /// Has the response kept once it is whole.
    pub(crate) fn keeping(&mut self, keeping: Keeping) {
        self.keeping = Some(keeping);
    }

    /// Keeps the response that ends with these bytes, if it is to be kept.
    pub(crate) fn keep_response(&mut self, bytes: &[u8]) {
        if let Some(keeping) = self.keeping.take() {
            keeping.keep(bytes);
        }
    }

    pub(crate) fn keyed(&mut self, key: Key) {
        self.key = Some(key);
    }

    pub(crate) fn hit(&mut self, entry: &Entry, body: &[u8]) {
        self.answered(OutcomeKind::Hit);
        self.trouble = None;
        self.outcome.saved_ms = entry.facts.cost_ms;
        self.outcome.bytes = body.len() as u64;
        self.whole(&entry.answer);
        self.keep_response(body);
    }

    /// An answer begins to come from a backend.
    pub(crate) fn answered(&mut self, kind: OutcomeKind) {
        let after = self.started.elapsed();
        self.outcome.kind = kind;
        self.status = StatusCode::OK;
        self.outcome.first_us = microseconds(after);
        self.metrics.first_token(kind, after);
    }

    /// A part of it came.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.outcome.bytes += bytes as u64;
    }

    /// It is this one.
    pub(crate) fn whole(&mut self, answer: &Arc<Answer>) {
        let usage = answer.usage();
        self.outcome.prompt_tokens = usage.prompt_tokens;
        self.outcome.output_tokens = usage.completion_tokens;
        if let Some(exchange) = &mut self.exchange {
            exchange.answered(answer.clone());
        }
    }

    /// It is this document, which is no whole answer.
    pub(crate) fn odd(&mut self, document: &Bytes) {
        if let Some(exchange) = &mut self.exchange {
            exchange.replied(document.clone());
        }
    }

    /// All of it came.
    pub(crate) fn ended(&mut self) {
        self.trouble = None;
    }

    /// The rest of it will not come.
    pub(crate) fn broke_off(&mut self, reason: String) {
        self.outcome.kind = OutcomeKind::Error;
        self.trouble = Some(reason);
    }

    /// Nothing of it comes.
    pub(crate) fn refused(mut self, error: &Error) {
        self.outcome.kind = OutcomeKind::Error;
        self.status = error.status();
        self.trouble = Some(error.to_string());
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let latency = self.started.elapsed();
        self.outcome.at_ms = now_ms();
        self.outcome.latency_us = microseconds(latency);
        self.ledger.record(self.outcome);
        self.metrics
            .request(self.endpoint, self.outcome.kind, self.status, latency);
        self.log(latency);
        if let Some(exchange) = self.exchange.take() {
            exchange.record(Ended {
                key: self.key,
                outcome: self.outcome,
                status: self.status,
                trouble: self.trouble.take(),
            });
        }
    }
}

impl Tally {
    fn log(&self, latency: Duration) {
        let endpoint = self.endpoint.name();
        let (status, key) = (self.status.as_u16(), self.key.map(tracing::field::display));
        let kind = self.outcome.kind;
        match &self.trouble {
            None => info!(
                endpoint,
                outcome = kind.name(),
                status,
                ?latency,
                key,
                prompt_tokens = self.outcome.prompt_tokens,
                output_tokens = self.outcome.output_tokens,
                "answered"
            ),
            Some(error) if self.status.is_server_error() => {
                warn!(
                    endpoint,
                    outcome = kind.name(),
                    status,
                    ?latency,
                    key,
                    error,
                    "failed"
                );
            }
            Some(error) => {
                info!(
                    endpoint,
                    outcome = kind.name(),
                    status,
                    ?latency,
                    key,
                    error,
                    "not answered"
                );
            }
        }
    }
}

/// The status that nobody is sent; nginx's name for it is "client closed request".
fn client_left() -> StatusCode {
    StatusCode::from_u16(499).expect("it is a status")
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
