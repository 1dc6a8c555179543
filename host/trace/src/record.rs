//! One request with all that became of it, as it is written and read.

use std::borrow::Cow;

use deja_cache::{Key, OutcomeKind};
use deja_wire::Endpoint;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Digest, names, redact};

/// One request with all that became of it. As JSON it is a line of Deja's own format, whose
/// version is in [`crate::format`]; what other formats do not tell is `None`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When the request came, in milliseconds since the Unix epoch; 0 where nobody noted it.
    #[serde(default)]
    pub at_ms: u64,
    /// What was called.
    #[serde(with = "names::endpoint")]
    pub endpoint: Endpoint,
    /// The query string, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The headers in their order, without credentials, by lower-case name.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Who shares answers with the caller: a digest of what separates callers before the body is
    /// looked into (endpoint, query, credentials, headers that can change an answer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Digest>,
    /// The model that was asked for; empty if none was.
    #[serde(default)]
    pub model: String,
    /// The request's body; a JSON string where it was no JSON; none where bodies are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
    /// The digest of the body as it came.
    pub body_digest: Digest,
    /// The body's length as it came.
    pub body_bytes: u64,
    /// The key that the request had, if it came so far.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "names::optional_key"
    )]
    pub key: Option<Key>,
    /// The edits that the keyers asked for, by rule. None where the key was remembered from a
    /// request before, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<Vec<EditCount>>,
    /// How it was answered.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "names::optional_outcome"
    )]
    pub outcome: Option<OutcomeKind>,
    /// The HTTP status of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it was not answered, or not to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The backend that answered; none for what the cache answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The answer as one document, also where it came as a stream; none where bodies are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<RawValue>>,
    /// The digest of that document, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_digest: Option<Digest>,
    /// Bytes of the reply's body, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_bytes: Option<u64>,
    /// Microseconds from the request's arrival to the beginning of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_us: Option<u64>,
    /// Microseconds from the request's arrival to the end of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Milliseconds of inference that the cache saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_ms: Option<u32>,
    /// The tokens that the answer took.
    #[serde(default)]
    pub usage: TokenUsage,
}

/// How often a rule of a keyer asked for an edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditCount {
    /// The keyer's name.
    pub keyer: String,
    /// The rule's name.
    pub rule: String,
    /// How many edits it asked for.
    pub count: u32,
}

/// The tokens of a request, as far as the answer told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens of the prompt, those from the backend's prefix cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<u32>,
    /// Tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u32>,
    /// Tokens of the prompt that came from the backend's prefix cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u32>,
}

impl Record {
    /// A record of a request of which nothing is known but its body.
    #[must_use]
    pub fn new(endpoint: Endpoint, body: &[u8]) -> Self {
        let json = embedded(body);
        Self {
            at_ms: 0,
            endpoint,
            query: None,
            headers: Vec::new(),
            scope: None,
            model: model(json.get()),
            body: Some(json),
            body_digest: Digest::of(body),
            body_bytes: body.len() as u64,
            key: None,
            edits: None,
            outcome: None,
            status: None,
            error: None,
            backend: None,
            answer: None,
            answer_digest: None,
            answer_bytes: None,
            first_us: None,
            latency_us: None,
            saved_ms: None,
            usage: TokenUsage::default(),
        }
    }

    /// Notes the answer, a document.
    pub fn set_answer(&mut self, document: &[u8]) {
        let answer = embedded(document);
        self.answer_digest = Some(Digest::of(document));
        self.usage = TokenUsage::of(answer.get());
        self.answer = Some(answer);
    }

    /// Milliseconds that the answer took to make, where that is known: a hit tells what it saved.
    #[must_use]
    pub fn cost_ms(&self) -> Option<u32> {
        match self.outcome {
            Some(OutcomeKind::Hit) => self.saved_ms,
            _ => u32::try_from(self.latency_us? / 1000).ok(),
        }
    }

    /// The same without the bodies: digests and sizes stay.
    #[must_use]
    pub fn without_bodies(self) -> Self {
        Self {
            body: None,
            answer: None,
            ..self
        }
    }
}

/// A body as it can stand in a record: without credentials, and a JSON string where it is no JSON.
fn embedded(body: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8_lossy(body);
    let text = redact::redacted_body(&text);
    RawValue::from_string(text.clone().into_owned())
        .unwrap_or_else(|_| serde_json::value::to_raw_value(&text).expect("every string is JSON"))
}

/// The model that a body asks for; empty if it asks for none.
fn model(body: &str) -> String {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        model: Option<Cow<'a, str>>,
    }
    let asked = serde_json::from_str(body).ok();
    let model = asked.and_then(|asked: Asked<'_>| asked.model);
    model.unwrap_or_default().into_owned()
}

impl TokenUsage {
    /// The counts that an answer tells, in either API.
    #[must_use]
    pub fn of(document: &str) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Told {
            usage: Option<Counts>,
        }
        let told: Told = serde_json::from_str(document).unwrap_or_default();
        told.usage.unwrap_or_default().into()
    }
}

/// What both APIs call their counts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    prompt_tokens_details: Option<PromptDetails>,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    cache_read_input_tokens: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u32>,
}

impl From<Counts> for TokenUsage {
    fn from(counts: Counts) -> Self {
        let parts = [
            counts.input_tokens,
            counts.cache_creation_input_tokens,
            counts.cache_read_input_tokens,
        ];
        let input = parts.into_iter().flatten().reduce(u32::saturating_add);
        let details = counts.prompt_tokens_details.unwrap_or_default();
        Self {
            prompt: counts.prompt_tokens.or(input),
            output: counts.completion_tokens.or(counts.output_tokens),
            cached: details.cached_tokens.or(counts.cache_read_input_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_stands_there_as_it_came_or_as_text() {
        for (body, embedded, model) in [
            (
                &b"{\"model\": \"m\",\n\"n\":1.50}"[..],
                "{\"model\": \"m\",\n\"n\":1.50}",
                "m",
            ),
            (b"no\njson", r#""no\njson""#, ""),
            (b"\xFF", "\"\u{fffd}\"", ""),
            (b"", r#""""#, ""),
        ] {
            let record = Record::new(Endpoint::Messages, body);
            assert_eq!(record.body.expect("it has one").get(), embedded);
            assert_eq!(record.model, model);
        }
    }

    #[test]
    fn tokens_are_counted_as_each_api_tells_them() {
        let openai = r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 4}}}"#;
        let anthropic = r#"{"usage": {"input_tokens": 3, "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 2, "output_tokens": 2}}"#;
        for document in [openai, anthropic] {
            let usage = TokenUsage::of(document);
            let counts = (usage.prompt, usage.output, usage.cached);
            assert_eq!(counts, (Some(9), Some(2), Some(4)));
        }
        assert_eq!(TokenUsage::of("[]"), TokenUsage::default());
        assert_eq!(TokenUsage::of(r#"{"usage": 7}"#), TokenUsage::default());
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let mut record = Record::new(Endpoint::Messages, b"{\"model\": \"m\"}");
        record.outcome = Some(OutcomeKind::Coalesced);
        record.key = "ab".repeat(32).parse().ok();
        record.headers = vec![("x-team".into(), "blue".into())];
        record.set_answer(b"{\"usage\": {\"output_tokens\": 1}}");
        let line = serde_json::to_string(&record).expect("it is JSON");
        let read: Record = serde_json::from_str(&line).expect("it is a record");
        assert_eq!(serde_json::to_string(&read).expect("it is JSON"), line);
        assert_eq!(read.usage.output, Some(1));
        assert!(record.without_bodies().answer_digest.is_some());
    }
}
