//! Which models there are.

use std::time::Duration;

use deja_wire::openai::Offer;
use futures_util::future::join_all;
use hyper::HeaderMap;
use serde_json::Value;
use tracing::warn;

use super::{Backend, Backends, FetchError, Routed};

/// The models of all backends that can be asked, which they are at once, each for at most so long.
/// One that fails is passed over, unless all do.
pub(crate) async fn models(
    backends: &Backends,
    client: &HeaderMap,
    timeout: Duration,
) -> Result<Vec<Offer>, FetchError> {
    let lists = backends
        .iter()
        .map(|routed| within(timeout, routed, client));
    let lists = join_all(lists).await;
    let mut models: Vec<Offer> = Vec::new();
    let mut failure = None;
    let mut answered = false;
    for (routed, list) in backends.iter().zip(lists) {
        match list {
            Ok(found) => {
                answered = true;
                for model in found {
                    if !models.iter().any(|known| known.id == model.id) {
                        models.push(model);
                    }
                }
            }
            Err(error) => {
                warn!(backend = routed.name, %error, hint = hint(&error), "its models are missing");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) if !answered => Err(error),
        _ => Ok(models),
    }
}

/// The models of one backend, or an error after this time.
async fn within(
    timeout: Duration,
    routed: &Routed,
    client: &HeaderMap,
) -> Result<Vec<Offer>, FetchError> {
    let silent = || FetchError::Silent {
        backend: routed.name.clone(),
        timeout,
    };
    let list = tokio::time::timeout(timeout, of(routed, client)).await;
    list.map_err(|_| silent())?
}

/// What to do about an upstream that wants a key: clients' own are not shown to it by default.
fn hint(error: &FetchError) -> Option<&'static str> {
    let wants_key = matches!(error.status().as_u16(), 401 | 403);
    wants_key.then_some("set `api_key_env`, or `list_models_with_client_key = true`")
}

async fn of(routed: &Routed, client: &HeaderMap) -> Result<Vec<Offer>, FetchError> {
    let own = match &routed.backend {
        Backend::Engine(engine) => {
            let info = engine.info();
            vec![Offer {
                id: engine.name().to_owned(),
                created: info.map_or(0, |info| info.created),
                context_length: info.map(|info| info.context_length),
                loaded: Some(engine.state().status.is_loaded()),
            }]
        }
        Backend::Upstream(upstream) => {
            let list = upstream.get("/v1/models", client).await?;
            listed(&list)
        }
    };
    let aliases = routed.alias_names().map(|name| Offer {
        id: name.to_owned(),
        ..Offer::default()
    });
    let own = own
        .into_iter()
        .filter(|model| routed.answers_for(&model.id));
    Ok(own.chain(aliases).collect())
}

/// Returns the models of a list in any API's shape.
fn listed(list: &Value) -> Vec<Offer> {
    let data = list.get("data").and_then(Value::as_array);
    let model = |entry: &Value| {
        Some(Offer {
            id: entry.get("id")?.as_str()?.to_owned(),
            created: entry.get("created").and_then(Value::as_u64).unwrap_or(0),
            ..Offer::default()
        })
    };
    data.into_iter().flatten().filter_map(model).collect()
}
