//! Whole requests under the keys of several keyers at once, so that no body stays in memory.

use std::{sync::Arc, time::Duration};

use deja_cache::{
    Entry, Keep, KeyRequest, Keyed, KeyerChain, NewEntry, OutcomeKind, Question, Scope, Ticket,
};
use deja_trace::{Digest, Record};
use deja_wire::Answer;
use serde_json::{Value, value::RawValue};

use super::{
    answers::{self, AnswerDigests},
    workload::Treatment,
};
use crate::recorded::{key_request, scope};

/// Characters of a question or an answer that are kept to be looked at.
const EXCERPT_CHARACTERS: usize = 160;

/// A request, and what each keyer makes of it.
pub(super) struct Asked {
    pub(super) at_ms: u64,
    /// The digest of its key without any keyer.
    pub(super) exact: u64,
    /// What each keyer makes of it, in their order.
    pub(super) keyed: Vec<KeyedRequest>,
    /// The model's own answer. None where it is not recorded, or came from a cache.
    pub(super) answer: Option<AnswerDigests>,
    pub(super) cost_ms: u32,
    pub(super) prompt_tokens: u32,
    pub(super) output_tokens: u32,
    /// The beginning of the question.
    pub(super) question: Box<str>,
    /// The beginning of the answer.
    pub(super) words: Box<str>,
}

/// What a keyer makes of a request.
pub(super) struct KeyedRequest {
    pub(super) key: u64,
    pub(super) treatment: Treatment,
    pub(super) ttl_seconds: Option<u32>,
    /// Bytes of the entry that its answer is kept in.
    pub(super) bytes: u64,
    /// The rules that edited it, each once.
    pub(super) rules: Vec<String>,
}

impl Asked {
    pub(super) fn new(record: &Record, keyers: &[KeyerChain]) -> Self {
        let request = key_request(record, Arc::new(json(record.body.as_deref())));
        let document = json(record.answer.as_deref());
        let nobody = KeyerChain::new(Vec::new());
        let exact = KeyedRequest::new(record, &request, &nobody);
        Self {
            at_ms: record.at_ms,
            exact: exact.key,
            keyed: keyers
                .iter()
                .map(|keyers| KeyedRequest::new(record, &request, keyers))
                .collect(),
            answer: own_answer(record).map(|answer| AnswerDigests::of(answer.get())),
            cost_ms: record.cost_ms().unwrap_or_default().max(1),
            prompt_tokens: record.usage.prompt.unwrap_or_default(),
            output_tokens: record.usage.output.unwrap_or_default(),
            question: excerpt(&Question::new(record.endpoint, &body(record), Keep::All).summary),
            words: excerpt(&answers::text(&document)),
        }
    }
}

impl Asked {
    /// The digest of all that decides which hits are false.
    pub(super) fn digest(asked: &[Self]) -> Digest {
        let mut parts = Vec::new();
        for request in asked {
            parts.extend(request.exact.to_le_bytes());
            let answer = request.answer.map(|answer| answer.digest());
            parts.extend(answer.iter().flat_map(Digest::as_bytes));
        }
        Digest::of(&parts)
    }
}

impl KeyedRequest {
    fn new(record: &Record, request: &KeyRequest, keyers: &KeyerChain) -> Self {
        if !request.body.is_object() {
            return Self::without_body(record);
        }
        let scope = Scope::of([&scope(record).as_bytes()[..]]);
        let consultation = keyers.consult(request.clone(), scope);
        let rule = |(keyer, edit): &(String, deja_cache::Edit)| format!("{keyer} {}", edit.rule);
        let mut rules: Vec<_> = consultation.edits.iter().map(rule).collect();
        rules.sort_unstable();
        rules.dedup();
        match consultation.keyed {
            Keyed::Cache(ticket) => Self {
                key: ticket.key.digest(),
                treatment: treatment(record, ticket.store),
                ttl_seconds: ticket.ttl.map(whole_seconds),
                bytes: entry_bytes(record, ticket),
                rules,
            },
            Keyed::Bypass(_) => Self {
                treatment: Treatment::Bypass,
                rules,
                ..Self::without_body(record)
            },
        }
    }

    /// The request under the key that the server gave it, or one of its own: no keyer can be asked.
    fn without_body(record: &Record) -> Self {
        let digests = [scope(record), record.body_digest];
        let own = Digest::of_parts(digests.iter().map(|digest| &digest.as_bytes()[..]));
        Self {
            key: record.key.map_or(own.short(), |key| key.digest()),
            treatment: treatment(record, true),
            ttl_seconds: None,
            bytes: told_bytes(record),
            rules: Vec::new(),
        }
    }
}

/// What failed leaves no answer to be stored.
fn treatment(record: &Record, store: bool) -> Treatment {
    let failed = record.error.is_some() || record.status.is_some_and(|status| status >= 400);
    if store && !failed {
        Treatment::Cache
    } else {
        Treatment::Lookup
    }
}

fn whole_seconds(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)
}

/// The bytes that the server's own entry would take up.
fn entry_bytes(record: &Record, ticket: Ticket) -> u64 {
    let answer = record.answer.as_ref();
    let answer = answer
        .and_then(|answer| Answer::from_document(record.endpoint, answer.get().as_bytes()).ok());
    let Some(answer) = answer else {
        return told_bytes(record);
    };
    let entry = Entry::new(NewEntry {
        key: ticket.key,
        answer: Arc::new(answer),
        question: Question::new(record.endpoint, &ticket.body, Keep::All),
        cost: Duration::ZERO,
        ttl: None,
        tags: ticket.tags,
        tenant: None,
    });
    entry.facts.bytes
}

/// Bytes where nobody recorded what would be stored.
fn told_bytes(record: &Record) -> u64 {
    (record.body_bytes + record.answer_bytes.unwrap_or_default()).max(1)
}

/// The answer that the model gave to this very request.
fn own_answer(record: &Record) -> Option<&RawValue> {
    let is_own = !matches!(
        record.outcome,
        Some(OutcomeKind::Hit | OutcomeKind::Coalesced | OutcomeKind::Error)
    );
    let succeeded = record.status.is_none_or(|status| status < 400);
    record
        .answer
        .as_deref()
        .filter(|_| is_own && succeeded && record.error.is_none())
}

fn json(text: Option<&RawValue>) -> Value {
    text.and_then(|text| serde_json::from_str(text.get()).ok())
        .unwrap_or_default()
}

fn body(record: &Record) -> Vec<u8> {
    let body = record.body.as_deref().map(RawValue::get);
    body.unwrap_or_default().as_bytes().to_vec()
}

fn excerpt(text: &str) -> Box<str> {
    let mut characters = text.trim().chars();
    let mut excerpt: String = characters.by_ref().take(EXCERPT_CHARACTERS).collect();
    if characters.next().is_some() {
        excerpt.push('…');
    }
    excerpt.into()
}
