//! What this crate's tests share.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use deja_wire::{Answer, Endpoint};
use parking_lot::Mutex;
use serde_json::json;

use crate::{
    Cache, CacheLimits, Capacity, EntryFacts, EntryId, Eviction, Gauges, Keep, Key, NewEntry,
    Outcome, OutcomeKind, PolicyError, PolicyFailure, Question, RemovalCause, Sample, Stats,
    Ticket,
};

pub(crate) fn key(number: u8) -> Key {
    Key::from_bytes([number; 32])
}

/// The ticket of question number `number`, with tag `t`.
pub(crate) fn ticket(number: u8) -> Ticket {
    Ticket {
        key: key(number),
        model: "m".into(),
        store: true,
        ttl: None,
        tags: vec!["t".to_owned()],
        body: Bytes::new(),
    }
}

/// A cache of so many entries, and its policy.
pub(crate) fn cache(entries: u64) -> (FakePolicy, Cache) {
    let policy = FakePolicy::default();
    let capacity = Capacity {
        entries,
        bytes: 1 << 20,
    };
    let limits = CacheLimits {
        capacity,
        ttl: None,
        max_share: None,
    };
    (policy.clone(), Cache::new(limits, Box::new(policy)))
}

/// An answer that says this, to question number `number`.
pub(crate) fn new_entry(number: u8, text: &str) -> NewEntry {
    let question = json!({
        "model": "m",
        "messages": [{"role": "user", "content": format!("q{number}")}],
    });
    NewEntry {
        key: key(number),
        answer: Arc::new(answer(text)),
        question: Question::new(
            Endpoint::ChatCompletions,
            question.to_string().as_bytes(),
            Keep::All,
        ),
        cost: Duration::from_secs(2),
        ttl: None,
        tags: Vec::new(),
        tenant: None,
    }
}

fn answer(text: &str) -> Answer {
    let document = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    });
    Answer::from_document(Endpoint::ChatCompletions, document.to_string().as_bytes())
        .expect("it is a whole answer")
}

pub(crate) fn outcome(kind: OutcomeKind) -> Outcome {
    Outcome {
        at_ms: 0,
        kind,
        first_us: 1,
        latency_us: 1,
        saved_ms: 0,
        prompt_tokens: 0,
        output_tokens: 0,
        bytes: 0,
    }
}

/// What a [`FakePolicy`] was told, and what it answers.
#[derive(Default)]
pub(crate) struct Script {
    /// What it was told, in order.
    pub(crate) told: Vec<String>,
    /// Its victims.
    pub(crate) victims: Vec<EntryId>,
    /// How it fails, if it does.
    pub(crate) fails: Option<PolicyFailure>,
    /// Whether it understands a predecessor's state.
    pub(crate) restores: bool,
    /// Whether a predecessor's state makes it trap.
    pub(crate) restore_traps: bool,
}

/// A policy whose other end a test holds.
#[derive(Clone, Default)]
pub(crate) struct FakePolicy(pub(crate) Arc<Mutex<Script>>);

impl FakePolicy {
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().told)
    }

    fn note(&self, what: String) -> Result<(), PolicyError> {
        let mut script = self.0.lock();
        if let Some(failure) = script.fails {
            return Err(error(failure));
        }
        script.told.push(what);
        Ok(())
    }
}

fn error(failure: PolicyFailure) -> PolicyError {
    PolicyError {
        plugin: "fake".to_owned(),
        message: "trapped".to_owned(),
        failure,
    }
}

impl Eviction for FakePolicy {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn on_insert(&mut self, entry: &EntryFacts) -> Result<(), PolicyError> {
        self.note(format!("insert {}", entry.id))
    }

    fn on_hit(&mut self, ids: &[EntryId]) -> Result<(), PolicyError> {
        ids.iter().try_for_each(|id| self.note(format!("hit {id}")))
    }

    fn on_remove(&mut self, id: EntryId, cause: RemovalCause) -> Result<(), PolicyError> {
        self.note(format!("{cause:?} {id}"))
    }

    fn victims(&mut self, bytes: u64, entries: u64) -> Result<Vec<EntryId>, PolicyError> {
        self.note(format!(
            "victims for {} bytes, {entries} entries",
            u64::from(bytes > 0)
        ))?;
        Ok(self.0.lock().victims.clone())
    }

    fn save(&mut self) -> Result<Vec<u8>, PolicyError> {
        self.note("save".to_owned()).map(|()| b"state".to_vec())
    }

    fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError> {
        assert_eq!(state, b"state");
        if self.0.lock().restore_traps {
            return Err(error(PolicyFailure::Broken));
        }
        self.note("restore".to_owned())
            .map(|()| self.0.lock().restores)
    }
}

impl Stats for FakePolicy {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn fold(&mut self, outcomes: &[Outcome]) -> Result<(), PolicyError> {
        outcomes
            .iter()
            .try_for_each(|outcome| self.note(format!("{:?}", outcome.kind)))
    }

    fn report(&mut self, gauges: &Gauges) -> Result<serde_json::Value, PolicyError> {
        self.note("report".to_owned())?;
        Ok(json!({"from": "plugin", "entries": gauges.entries}))
    }

    fn samples(&mut self, _: &Gauges) -> Result<Vec<Sample>, PolicyError> {
        self.note("samples".to_owned())?;
        Ok(vec![Sample {
            name: "fake".to_owned(),
            labels: Vec::new(),
            value: 1.0,
        }])
    }

    fn save(&mut self) -> Result<Vec<u8>, PolicyError> {
        Eviction::save(self)
    }

    fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError> {
        Eviction::restore(self, state)
    }
}
