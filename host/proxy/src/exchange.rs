//! A request and its answer, on their way into the trace.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use deja_cache::{Edit, Endpoint, Key, Outcome, OutcomeKind};
use deja_trace::{Digest, EditCount, Record, Recorder, redacted_query};
use deja_wire::{Answer, Fresh};
use hyper::StatusCode;

use crate::{
    backend::Routed,
    decode::{Call, CallHeaders},
    pieces::joined,
};

/// What a trace is told of a request, gathered while it is answered. Nothing is copied here, and
/// all work is left to the recorder's thread.
pub(crate) struct Exchange {
    recorder: Arc<Recorder>,
    endpoint: Endpoint,
    received: Option<Received>,
    edits: Option<Vec<(String, Edit)>>,
    backend: Option<Arc<Routed>>,
    reply: Option<Reply>,
}

/// A request, as it was read.
struct Received {
    headers: Arc<CallHeaders>,
    query: Option<String>,
    scope: Digest,
    body: Vec<Bytes>,
    /// Whether its text, and that of its answer, is not to be written.
    no_store: bool,
}

/// What was answered.
enum Reply {
    Answer(Arc<Answer>),
    /// A document that is no whole answer.
    Document(Bytes),
}

/// What became of a request.
pub(crate) struct Ended {
    pub(crate) key: Option<Key>,
    pub(crate) outcome: Outcome,
    pub(crate) status: StatusCode,
    pub(crate) trouble: Option<String>,
}

impl Exchange {
    pub(crate) fn new(recorder: Arc<Recorder>, endpoint: Endpoint) -> Self {
        Self {
            recorder,
            endpoint,
            received: None,
            edits: None,
            backend: None,
            reply: None,
        }
    }

    pub(crate) fn received(&mut self, call: &Call) {
        self.received = Some(Received {
            headers: call.headers.clone(),
            query: call.query.clone(),
            scope: Digest::of_parts(call.scope_parts()),
            body: call.pieces.clone(),
            no_store: call.directives.no_store,
        });
    }

    pub(crate) fn edited(&mut self, edits: Vec<(String, Edit)>) {
        self.edits = Some(edits);
    }

    pub(crate) fn routed(&mut self, backend: Arc<Routed>) {
        self.backend = Some(backend);
    }

    pub(crate) fn answered(&mut self, answer: Arc<Answer>) {
        self.reply = Some(Reply::Answer(answer));
    }

    pub(crate) fn replied(&mut self, document: Bytes) {
        self.reply = Some(Reply::Document(document));
    }

    /// Hands all of it to the recorder.
    pub(crate) fn record(self, ended: Ended) {
        let recorder = self.recorder.clone();
        recorder.record(self.bytes(), move || self.into_record(ended));
    }

    /// Bytes of memory that wait with it.
    fn bytes(&self) -> usize {
        let body = self.received.iter().flat_map(|received| &received.body);
        let reply = match &self.reply {
            Some(Reply::Answer(answer)) => answer.bytes(),
            Some(Reply::Document(document)) => document.len(),
            None => 0,
        };
        body.map(Bytes::len).sum::<usize>() + reply
    }

    fn into_record(self, ended: Ended) -> Record {
        let Ended {
            key,
            outcome,
            status,
            trouble,
        } = ended;
        let body = self
            .received
            .as_ref()
            .map(|received| joined(&received.body));
        let no_store = self
            .received
            .as_ref()
            .is_some_and(|received| received.no_store);
        let mut record = Record::new(self.endpoint, &body.unwrap_or_default());
        record.at_ms = outcome.at_ms.saturating_sub(outcome.latency_us / 1000);
        if let Some(received) = &self.received {
            record.query = received.query.as_deref().map(redacted_query);
            let shown = received.headers.shown();
            record.headers = shown
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
            record.scope = Some(received.scope);
        }
        record.key = key;
        record.edits = self.edits.map(|edits| counted(&edits));
        record.outcome = Some(outcome.kind);
        record.status = Some(status.as_u16());
        record.error = trouble;
        if outcome.kind != OutcomeKind::Hit {
            record.backend = self.backend.map(|backend| backend.name.clone());
        }
        match self.reply {
            Some(Reply::Answer(answer)) => record.set_answer(&answer.document(&Fresh::blank())),
            Some(Reply::Document(document)) => record.set_answer(&document),
            None => {}
        }
        record.answer_bytes = Some(outcome.bytes);
        record.first_us = Some(outcome.first_us).filter(|us| *us > 0);
        record.latency_us = Some(outcome.latency_us);
        record.saved_ms = Some(outcome.saved_ms);
        if no_store {
            return record.without_bodies();
        }
        record
    }
}

/// How often each rule asked for an edit.
fn counted(edits: &[(String, Edit)]) -> Vec<EditCount> {
    let mut counts = BTreeMap::new();
    for (keyer, edit) in edits {
        *counts.entry((keyer, &edit.rule)).or_insert(0) += 1;
    }
    let counts = counts.into_iter();
    counts
        .map(|((keyer, rule), count)| EditCount {
            keyer: keyer.clone(),
            rule: rule.clone(),
            count,
        })
        .collect()
}
