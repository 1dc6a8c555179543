//! What is kept of one request.

use std::sync::Arc;

use deja_cache::{Keyed, KeyerChain, OutcomeKind, Scope};
use deja_trace::{Digest, Record};
use serde_json::Value;

use super::{
    parts::{self, Parts, Paths},
    tools,
};
use crate::recorded::{key_request, scope};

/// What is kept of one request.
pub(super) struct Request {
    pub(super) at_ms: u64,
    /// Its key; none where a keyer wants the cache left out.
    pub(super) key: Option<u64>,
    /// Why it was not answered.
    pub(super) error: Option<String>,
    pub(super) latency_us: Option<u64>,
    /// Whether the cache answered it, in Deja's own trace.
    pub(super) was_hit: bool,
    pub(super) tokens: u64,
    pub(super) model: Box<str>,
    pub(super) messages: usize,
    /// The names of the tools that it offers.
    pub(super) offered: Vec<Box<str>>,
    /// The names of the tools that are called, once for each call.
    pub(super) used: Vec<Box<str>>,
    /// What separates it from others before its body does.
    pub(super) scope: u64,
    /// Its body, taken apart.
    pub(super) parts: Parts,
}

impl Request {
    pub(super) fn new(record: &Record, keyers: &KeyerChain, paths: &mut Paths) -> Self {
        let body = record.body.as_ref();
        let body: Value = body
            .and_then(|body| serde_json::from_str(body.get()).ok())
            .unwrap_or_default();
        let body = Arc::new(body);
        let (key, edited) = key(record, &body, keyers);
        let parts = parts::parts(edited.as_ref().unwrap_or(&body), paths);
        let answer = record.answer.as_ref();
        let answer: Option<Value> = answer.and_then(|json| serde_json::from_str(json.get()).ok());
        let usage = [record.usage.prompt, record.usage.output];
        Self {
            at_ms: record.at_ms,
            key,
            error: error(record),
            latency_us: record.latency_us,
            was_hit: record.outcome == Some(OutcomeKind::Hit),
            tokens: usage.into_iter().flatten().map(u64::from).sum(),
            model: record.model.as_str().into(),
            messages: body["messages"].as_array().map_or(1, Vec::len),
            offered: tools::offered(&body),
            used: tools::used(&body, answer.as_ref()),
            scope: scope(record).short(),
            parts,
        }
    }
}

/// A record's key under these keyers, and the body as they left it where they changed it.
///
/// The server's own key counts where there is no body to make one of.
fn key(record: &Record, body: &Arc<Value>, keyers: &KeyerChain) -> (Option<u64>, Option<Value>) {
    if !body.is_object() {
        let digests = [scope(record), record.body_digest];
        let alone = Digest::of_parts(digests.iter().map(|digest| &digest.as_bytes()[..]));
        let key = record.key.map_or(alone.short(), |key| key.digest());
        return (Some(key), None);
    }
    let request = key_request(record, body.clone());
    let scope = Scope::of([&scope(record).as_bytes()[..]]);
    let consultation = keyers.consult(request, scope);
    match consultation.keyed {
        Keyed::Bypass(_) => (None, None),
        Keyed::Cache(ticket) => {
            let edited = !consultation.edits.is_empty();
            let edited = edited.then(|| serde_json::from_slice(&ticket.body).ok());
            (Some(ticket.key.digest()), edited.flatten())
        }
    }
}

fn error(record: &Record) -> Option<String> {
    let status = record.status.filter(|status| *status >= 400);
    match (status, &record.error) {
        (Some(status), Some(error)) => Some(format!("{status} {error}")),
        (Some(status), None) => Some(status.to_string()),
        (None, error) => error.clone(),
    }
}
