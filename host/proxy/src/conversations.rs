//! Responses that clients continue by their id (`previous_response_id`), in front of backends that
//! keep none.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deja_cache::Tenant;
use deja_wire::{payload, responses::OWN_ID};
use lru::LruCache;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// How many responses are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationLimits {
    /// The most responses; none is kept if this is 0.
    pub max_entries: usize,
    /// The most bytes that they take, their input included.
    pub max_bytes: usize,
    /// How long a response can be continued.
    pub ttl: Duration,
}

/// The responses that can be continued. The least recently used ones make room for new ones.
#[derive(Default)]
pub(crate) struct Conversations(Mutex<State>);

struct State {
    kept: LruCache<Place, Kept>,
    bytes: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            kept: LruCache::unbounded(),
            bytes: 0,
        }
    }
}

/// Whose response it is, and its id: an id of another's is as good as none.
type Place = (Option<Tenant>, String);

struct Kept {
    response: Arc<KeptResponse>,
    since: Instant,
    bytes: usize,
}

/// A response, and all that was said before it.
pub(crate) struct KeptResponse {
    /// The items of the request, those of the responses before it included.
    pub(crate) input: Vec<Value>,
    /// The response, as its client got it.
    pub(crate) document: Value,
}

impl KeptResponse {
    /// Returns the items of a request that goes on with these. Those of the response come without
    /// their ids, which each response has for itself: the same conversation is the same question.
    pub(crate) fn continued(&self, next: &Value) -> Vec<Value> {
        let output = self.document["output"].as_array().into_iter().flatten();
        let said = output.cloned().map(|mut item| {
            if let Some(fields) = item.as_object_mut() {
                fields.shift_remove("id");
            }
            item
        });
        let items = self.input.iter().cloned().chain(said);
        items.chain(input_items(next)).collect()
    }

    fn bytes(&self) -> usize {
        let input: usize = self.input.iter().map(value_bytes).sum();
        size_of::<Self>() + input + value_bytes(&self.document)
    }
}

/// What it takes to keep the response to a request, once it is whole.
pub(crate) struct Keeping {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) limits: ConversationLimits,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) input: Vec<Value>,
}

impl Keeping {
    /// Keeps the response in a reply's body, which is a document, or a stream at its end, unless an
    /// upstream keeps it.
    pub(crate) fn keep(self, body: &[u8]) {
        let Some(document) = response(body) else {
            return;
        };
        let is_ours = |id: &str| id.starts_with(OWN_ID);
        if document["id"].as_str().is_some_and(is_ours) {
            let response = KeptResponse {
                input: self.input,
                document,
            };
            self.conversations.keep(self.tenant, response, &self.limits);
        }
    }
}

/// Returns the response that a document is, or that the last event of a stream holds.
fn response(body: &[u8]) -> Option<Value> {
    let last = body.trim_ascii_end();
    let start = memchr::memmem::rfind(last, b"\n\n").map_or(0, |end| end + 2);
    match payload(&[&last[start..], b"\n\n"].concat()) {
        Some(event) => {
            let mut event: Value = serde_json::from_slice(&event).ok()?;
            Some(event["response"].take())
        }
        None => serde_json::from_slice(body).ok(),
    }
}

impl Conversations {
    /// Keeps a response for its client, as far as the limits allow.
    fn keep(&self, tenant: Option<Tenant>, response: KeptResponse, limits: &ConversationLimits) {
        let bytes = response.bytes();
        let id = response.document["id"].as_str().map(str::to_owned);
        let (Some(id), true) = (id, limits.max_entries > 0 && bytes <= limits.max_bytes) else {
            return;
        };
        let kept = Kept {
            response: Arc::new(response),
            since: Instant::now(),
            bytes,
        };
        let mut state = self.0.lock();
        state.bytes += bytes;
        if let Some(earlier) = state.kept.put((tenant, id), kept) {
            state.bytes -= earlier.bytes;
        }
        while state.kept.len() > limits.max_entries || state.bytes > limits.max_bytes {
            let Some((_, least)) = state.kept.pop_lru() else {
                return;
            };
            state.bytes -= least.bytes;
        }
    }

    /// Returns a client's response.
    pub(crate) fn find(
        &self,
        tenant: Option<Tenant>,
        id: &str,
        limits: &ConversationLimits,
    ) -> Option<Arc<KeptResponse>> {
        let place = (tenant, id.to_owned());
        let mut state = self.0.lock();
        let kept = state.kept.get(&place)?;
        if kept.since.elapsed() < limits.ttl {
            return Some(kept.response.clone());
        }
        let expired = state.kept.pop(&place)?;
        state.bytes -= expired.bytes;
        None
    }

    /// Forgets a client's response, and returns whether there was one.
    pub(crate) fn forget(&self, tenant: Option<Tenant>, id: &str) -> bool {
        let mut state = self.0.lock();
        let Some(kept) = state.kept.pop(&(tenant, id.to_owned())) else {
            return false;
        };
        state.bytes -= kept.bytes;
        true
    }
}

/// Returns the items of a request's `input`, where a text is a message of the user.
pub(crate) fn input_items(input: &Value) -> Vec<Value> {
    match input {
        Value::Array(items) => items.clone(),
        Value::String(text) => vec![json!({"role": "user", "content": text})],
        _ => Vec::new(),
    }
}

/// Returns about the bytes that a value takes.
fn value_bytes(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_bytes).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| name.len() + value_bytes(field))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    inner + 2 * size_of::<Value>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ConversationLimits = ConversationLimits {
        max_entries: 2,
        max_bytes: 1 << 20,
        ttl: Duration::from_hours(1),
    };

    fn response(id: &str) -> KeptResponse {
        let message = json!({"type": "message", "role": "assistant", "content": "Paris."});
        KeptResponse {
            input: input_items(&"Where?".into()),
            document: json!({"id": id, "output": [message]}),
        }
    }

    fn tenant(name: &str) -> Tenant {
        Tenant::of([name.as_bytes()])
    }

    #[test]
    fn a_response_is_continued_by_its_own_client_alone() {
        let conversations = Conversations::default();
        conversations.keep(Some(tenant("a")), response("resp_1"), &LIMITS);
        let find = |who, id| conversations.find(Some(tenant(who)), id, &LIMITS);
        assert!(find("b", "resp_1").is_none());
        assert!(find("a", "resp_2").is_none());
        let items = find("a", "resp_1")
            .expect("it is kept")
            .continued(&"Why?".into());
        let said: Vec<_> = items.iter().map(|item| &item["role"]).collect();
        assert_eq!(said, ["user", "assistant", "user"]);
        assert!(!conversations.forget(Some(tenant("b")), "resp_1"));
        assert!(conversations.forget(Some(tenant("a")), "resp_1"));
        assert!(find("a", "resp_1").is_none());
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let conversations = Conversations::default();
        for id in ["resp_1", "resp_2"] {
            conversations.keep(None, response(id), &LIMITS);
        }
        conversations.find(None, "resp_1", &LIMITS);
        conversations.keep(None, response("resp_3"), &LIMITS);
        let kept = ["resp_1", "resp_2", "resp_3"]
            .map(|id| conversations.find(None, id, &LIMITS).is_some());
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn limits_of_bytes_and_of_time_hold() {
        let conversations = Conversations::default();
        let bytes = response("resp_1").bytes();
        let one = ConversationLimits {
            max_bytes: bytes + bytes / 2,
            ..LIMITS
        };
        conversations.keep(None, response("resp_1"), &one);
        conversations.keep(None, response("resp_2"), &one);
        assert!(conversations.find(None, "resp_1", &one).is_none());
        assert!(conversations.find(None, "resp_2", &one).is_some());
        let expired = ConversationLimits {
            ttl: Duration::ZERO,
            ..LIMITS
        };
        assert!(conversations.find(None, "resp_2", &expired).is_none());
        assert_eq!(conversations.0.lock().bytes, 0);
    }

    #[test]
    fn a_response_is_found_in_a_document_and_at_the_end_of_a_stream() {
        let document = json!({"id": "resp_deja1"});
        let event = json!({"type": "response.completed", "response": document});
        let stream =
            format!("event: x\ndata: {{}}\n\nevent: response.completed\ndata: {event}\n\n");
        for body in [document.to_string(), stream] {
            assert_eq!(
                super::response(body.as_bytes()),
                Some(document.clone()),
                "{body}"
            );
        }
        assert_eq!(super::response(b"data: [DONE]\n\n"), None);
    }
}
