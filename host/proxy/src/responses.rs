//! `GET` and `DELETE /v1/responses/{id}`: responses that are kept here, or by an upstream.

use std::sync::Arc;

use deja_cache::Tenant;
use deja_wire::Api;
use hyper::{HeaderMap, Method, Request, body::Incoming, header::UPGRADE};
use serde_json::{Value, json};

use crate::{
    admin::parameter,
    decode::CallHeaders,
    error::Error,
    pass_through::pass_through,
    pipeline::Proxy,
    reply::{self, Reply},
};

/// The most items of a list that are given at once, and how many where nobody says.
const MOST_ITEMS: usize = 100;
const USUAL_ITEMS: usize = 20;

/// What of a response is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// What it answers.
    InputItems,
}

/// Answers a request for a kept response. One that is not kept here may be kept by an upstream.
///
/// # Errors
/// The client has no such response.
pub(crate) async fn answer(
    proxy: &Arc<Proxy>,
    request: Request<Incoming>,
    id: &str,
    part: &Part,
) -> Result<Reply, Error> {
    if let Some(document) = kept(proxy, &request, id, part) {
        return Ok(reply::json(document.to_string().into()));
    }
    let passed = pass_through(proxy, Api::Responses, request).await;
    passed.map_err(|error| match error {
        Error::NotFound { .. } => Error::UnknownResponse {
            id: id.to_owned(),
            field: None,
        },
        error => error,
    })
}

/// Returns the answer about a response that is kept here.
fn kept(proxy: &Proxy, request: &Request<Incoming>, id: &str, part: &Part) -> Option<Value> {
    let tenant = tenant(proxy, request.headers());
    if request.method() == Method::DELETE {
        let is_kept = *part == Part::Whole && proxy.conversations.forget(tenant, id);
        return is_kept.then(|| json!({"id": id, "object": "response", "deleted": true}));
    }
    let limits = proxy.rules.load().settings.conversations;
    let response = proxy.conversations.find(tenant, id, &limits)?;
    Some(match part {
        Part::Whole => response.document.clone(),
        Part::InputItems => page(&response.input, request.uri().query().unwrap_or_default()),
    })
}

fn tenant(proxy: &Proxy, headers: &HeaderMap) -> Option<Tenant> {
    let settings = &proxy.rules.load().settings;
    let (rules, partition) = (settings.headers.clone(), settings.partition.clone());
    CallHeaders::new(headers.clone(), rules, partition).tenant()
}

/// Returns a page of the items, the newest first unless `order` says otherwise. Items without an id
/// get one.
fn page(items: &[Value], query: &str) -> Value {
    let mut items: Vec<_> = items.iter().enumerate().map(with_id).collect();
    if parameter(query, "order").as_deref() != Some("asc") {
        items.reverse();
    }
    if let Some(after) = parameter(query, "after") {
        let known = items.iter().position(|item| item["id"] == *after);
        items.drain(..known.map_or(0, |at| at + 1));
    }
    let limit = parameter(query, "limit").and_then(|limit| limit.parse().ok());
    let limit = limit.unwrap_or(USUAL_ITEMS).clamp(1, MOST_ITEMS);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({
        "object": "list",
        "first_id": id(items.first()),
        "last_id": id(items.last()),
        "has_more": has_more,
        "data": items,
    })
}

fn with_id((index, item): (usize, &Value)) -> Value {
    let mut item = item.clone();
    if item["id"].is_null() {
        item["id"] = format!("item_{index}").into();
    }
    if item["type"].is_null() {
        item["type"] = "message".into();
    }
    item
}

/// Returns whether a client would rather speak over a WebSocket, which Codex tries first and then
/// does without.
pub(crate) fn wants_web_socket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE);
    upgrade.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_pages_the_newest_first() {
        let items = [
            json!({"id": "a", "role": "user"}),
            json!({"role": "user"}),
            json!({"id": "c", "type": "function_call"}),
        ];
        let ids = |query: &str| {
            let page = page(&items, query);
            let ids = page["data"].as_array().into_iter().flatten();
            let ids: Vec<_> = ids
                .map(|item| item["id"].as_str().unwrap_or_default().to_owned())
                .collect();
            (ids.join(" "), page["has_more"] == true)
        };
        assert_eq!(ids(""), ("c item_1 a".to_owned(), false));
        assert_eq!(ids("order=asc&limit=2"), ("a item_1".to_owned(), true));
        assert_eq!(ids("after=c"), ("item_1 a".to_owned(), false));
        assert_eq!(ids("limit=none"), ("c item_1 a".to_owned(), false));
    }
}
