//! Which models there are.

use hyper::HeaderMap;
use serde_json::Value;
use tracing::warn;

use super::{Backend, Backends, FetchError, Routed};

/// A model that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) id: String,
    /// When it was made, in seconds since the Unix epoch; 0 where nobody says.
    pub(crate) created: u64,
}

/// The models of all backends that can be asked. One that fails is passed over, unless all do.
pub(crate) async fn models(
    backends: &Backends,
    client: &HeaderMap,
) -> Result<Vec<Model>, FetchError> {
    let mut models: Vec<Model> = Vec::new();
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

async fn of(routed: &Routed, client: &HeaderMap) -> Result<Vec<Model>, FetchError> {
    let own = match &routed.backend {
        Backend::Engine(engine) => {
            let model = engine.model();
            vec![Model {
                id: model.id.clone(),
                created: model.created,
            }]
        }
        Backend::Upstream(upstream) => {
            let list = upstream.get("/v1/models", client).await?;
            listed(&list)
        }
    };
    let aliases = routed.alias_names().map(|name| Model {
        id: name.to_owned(),
        created: 0,
    });
    let own = own
        .into_iter()
        .filter(|model| routed.answers_for(&model.id));
    Ok(own.chain(aliases).collect())
}

/// The models of a list in either API's shape.
fn listed(list: &Value) -> Vec<Model> {
    let data = list.get("data").and_then(Value::as_array);
    let model = |entry: &Value| {
        Some(Model {
            id: entry.get("id")?.as_str()?.to_owned(),
            created: entry.get("created").and_then(Value::as_u64).unwrap_or(0),
        })
    };
    data.into_iter().flatten().filter_map(model).collect()
}
