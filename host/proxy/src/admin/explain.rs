//! `POST /admin/explain`: what becomes of a request, and why.

use std::sync::Arc;

use deja_cache::{Change, Difference, Edit, Endpoint, Floor, Keyed, ScopePart, Ticket};
use hyper::{Method, Request, body::Incoming};
use serde_json::{Value, json};

use super::entries::{described, parameter};
use crate::{decode::Call, error::Error, looked::Looked, pipeline::Proxy};

/// What is explained where nobody says.
const DEFAULT_PATH: &str = "/v1/chat/completions";

/// Differences that are shown.
const SHOWN: usize = 50;

/// Explains a request that is sent as it would be to `path`, headers and all. Nothing is asked of
/// a backend, counted or stored.
pub(super) async fn explain(
    proxy: &Arc<Proxy>,
    request: Request<Incoming>,
    query: &str,
) -> Result<Value, Error> {
    let rules = proxy.rules.load_full();
    let path = parameter(query, "path").unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path.as_str(), None),
    };
    let budgets = &proxy.budgets;
    let call = Call::read(endpoint(path)?, request, &rules.settings, &budgets.bodies).await?;
    let call = Arc::new(call.with_query(query));
    let asked = call.parse(&rules.settings, &budgets.parsed).await?;
    let endpoint = call.endpoint;
    let looked = Arc::new(Looked::new(rules, call, asked, &proxy.conversations)?);
    let consultation = looked.beside(Looked::keyed).await?;
    let route = &looked.route;
    let edits: Vec<_> = consultation.edits.iter().map(edit).collect();
    let mut explanation = json!({ "backend": route.to.name, "model": route.model, "edits": edits });
    if looked.rules.floor == Floor::Open {
        explanation["floor"] = looked.rules.floor.name().into();
    }
    match consultation.keyed {
        Keyed::Bypass(reason) => {
            explanation["outcome"] = "bypass".into();
            explanation["reason"] = reason.to_string().into();
        }
        Keyed::Cache(ticket) => {
            let proxy = proxy.clone();
            let scope = looked.call.named_scope(route);
            let found = move || found(&proxy, endpoint, &ticket, &scope);
            let found = tokio::task::spawn_blocking(found).await;
            let found = found.map_err(|_| Error::Abandoned)?;
            for (name, value) in found {
                explanation[name] = value;
            }
        }
    }
    Ok(explanation)
}

/// What is held for a request, or what comes nearest to it.
fn found(
    proxy: &Proxy,
    endpoint: Endpoint,
    ticket: &Ticket,
    scope: &[ScopePart],
) -> Vec<(&'static str, Value)> {
    let mut found = vec![
        ("key", ticket.key.to_string().into()),
        ("stores", ticket.store.into()),
        ("tags", json!(ticket.tags)),
    ];
    let held = proxy.cache.peek(&ticket.key);
    if let Some(entry) = held {
        found.push(("outcome", "hit".into()));
        found.push(("entry", described(&entry)));
        return found;
    }
    found.push(("outcome", "miss".into()));
    let body = serde_json::from_slice(&ticket.body).unwrap_or_default();
    if let Some((entry, differences)) = proxy.cache.nearest(endpoint, &body) {
        let shown: Vec<_> = differences.iter().take(SHOWN).map(difference).collect();
        let mut nearest = described(&entry);
        nearest["differences"] = shown.into();
        nearest["total"] = differences.len().into();
        let apart = entry.question.scope_differences(scope);
        if differences.is_empty() && apart.is_empty() {
            nearest["note"] = "it was stored under other keyers or settings of theirs".into();
        }
        nearest["kept_apart_by"] = apart.into();
        found.push(("nearest", nearest));
    }
    found
}

fn endpoint(path: &str) -> Result<Endpoint, Error> {
    let wrong = || Error::NotFound {
        method: Method::POST,
        path: path.to_owned(),
    };
    Endpoint::ALL
        .into_iter()
        .find(|endpoint| endpoint.path() == path)
        .ok_or_else(wrong)
}

fn edit((keyer, edit): &(String, Edit)) -> Value {
    let change = match &edit.change {
        Change::Remove { pointer } => json!({ "remove": pointer }),
        Change::Replace { pointer, json } => json!({ "replace": pointer, "with": json }),
        Change::Rewrite {
            pointer,
            start,
            end,
            replacement,
        } => json!({ "rewrite": pointer, "bytes": [start, end], "with": replacement }),
    };
    json!({ "keyer": keyer, "rule": edit.rule, "change": change })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "pointer": difference.pointer,
        "asked": difference.asked,
        "stored": difference.stored,
    })
}
