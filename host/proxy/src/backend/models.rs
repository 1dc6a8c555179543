//! Which models there are.

use deja_chat::openai::Offer;
use hyper::HeaderMap;
use serde_json::Value;
use tracing::warn;

use super::{Backend, Backends, FetchError, Routed};

/// The models of all backends that can be asked. One that fails is passed over, unless all do.
pub(crate) async fn models(
    backends: &Backends,
    client: &HeaderMap,
) -> Result<Vec<Offer>, FetchError> {
    let mut models: Vec<Offer> = Vec::new();
    let mut failure = None;
    let mut answered = false;
    for routed in backends.iter() {
        match of(routed, client).await {
            Ok(found) => {
                answered = true;
                for model in found {
                    if !models.iter().any(|known| known.id == model.id) {
                        models.push(model);
                    }
                }
            }
            Err(error) => {
                warn!(backend = routed.name, %error, "its models are missing");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) if !answered => Err(error),
        _ => Ok(models),
    }
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

/// The models of a list in either API's shape.
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
