//! What is held: listed, and forgotten on request.

use std::sync::Arc;

use deja_cache::{Entry, Key, Purge};
use deja_wire::BadRequest;
use serde_json::{Value, json};

use crate::{error::Error, pipeline::Proxy};

/// Entries that are listed where nobody says how many.
const PAGE: usize = 100;

/// The entries, the newest first; `limit` and `offset` choose.
pub(super) fn list(proxy: &Proxy, query: &str) -> Result<Value, Error> {
    let limit = number(query, "limit")?.unwrap_or(PAGE);
    let offset = number(query, "offset")?.unwrap_or(0);
    let entries = proxy.cache.entries();
    let shown: Vec<_> = entries
        .iter()
        .skip(offset)
        .take(limit)
        .map(described)
        .collect();
    Ok(json!({ "entries": shown, "total": entries.len() }))
}

/// What is told of an entry. Its answer is not.
pub(super) fn described(entry: &Arc<Entry>) -> Value {
    json!({
        "key": entry.key.to_string(),
        "endpoint": entry.endpoint().name(),
        "model": entry.question.model,
        "summary": entry.question.summary,
        "age_seconds": entry.age().as_secs(),
        "ttl_seconds": entry.time_left().map(|left| left.as_secs()),
        "bytes": entry.facts.bytes,
        "hits": entry.hits(),
        "cost_ms": entry.facts.cost_ms,
        "prompt_tokens": entry.facts.prompt_tokens,
        "output_tokens": entry.facts.output_tokens,
        "tags": entry.tags,
    })
}

/// Forgets all entries, or those of a `tag` or a `model`.
pub(super) fn purge(proxy: &Proxy, query: &str) -> Result<Value, Error> {
    let purge = match (parameter(query, "tag"), parameter(query, "model")) {
        (None, None) if query.is_empty() => Purge::All,
        (Some(tag), None) => Purge::Tag(tag),
        (None, Some(model)) => Purge::Model(model),
        // A typing mistake must not empty the cache.
        _ => {
            return Err(BadRequest {
                message: "give a `tag`, a `model`, or nothing to forget all".to_owned(),
                field: None,
                code: None,
            }
            .into());
        }
    };
    Ok(json!({ "removed": proxy.cache.purge(&purge) }))
}

/// Forgets one entry.
pub(super) fn purge_one(proxy: &Proxy, key: &str) -> Result<Value, Error> {
    let key: Key = key.parse().map_err(|_| Error::UnknownKey)?;
    match proxy.cache.purge(&Purge::Key(key)) {
        0 => Err(Error::UnknownKey),
        removed => Ok(json!({ "removed": removed })),
    }
}

/// A parameter of a query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

fn number(query: &str, name: &str) -> Result<Option<usize>, Error> {
    let parsed = parameter(query, name).map(|value| value.parse());
    parsed
        .transpose()
        .map_err(|_| BadRequest::field(name, "must be a whole number").into())
}
