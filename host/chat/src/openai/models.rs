//! The models on offer, told so that `OpenAI`'s SDK and Anthropic's both understand.

use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    r#type: &'static str,
    display_name: &'a str,
    created_at: String,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

impl<'a> Model<'a> {
    fn new(id: &'a str, created: u64) -> Self {
        let seconds = i64::try_from(created).unwrap_or(i64::MAX);
        Self {
            id,
            object: "model",
            created,
            owned_by: "deja",
            r#type: "model",
            display_name: id,
            created_at: Timestamp::from_second(seconds)
                .unwrap_or(Timestamp::MAX)
                .to_string(),
        }
    }
}

/// The list of models, each with its id and the time of its creation in seconds since the epoch.
#[must_use]
pub fn models<'a>(models: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let data: Vec<_> = models
        .into_iter()
        .map(|(id, created)| Model::new(id, created))
        .collect();
    super::json(&List {
        object: "list",
        has_more: false,
        first_id: data.first().map(|model| model.id),
        last_id: data.last().map(|model| model.id),
        data,
    })
}

/// One model: its id and the time of its creation in seconds since the epoch.
#[must_use]
pub fn model(id: &str, created: u64) -> String {
    super::json(&Model::new(id, created))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).expect("it is JSON")
    }

    #[test]
    fn a_list_speaks_both_dialects() {
        let list = parsed(&models([("a", 1_700_000_000), ("b", 0)]));
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"][0]["created"], 1_700_000_000);
        assert_eq!(list["data"][0]["created_at"], "2023-11-14T22:13:20Z");
        assert_eq!(list["data"][1]["type"], "model");
        assert_eq!(list["has_more"], false);
        assert_eq!(
            (&list["first_id"], &list["last_id"]),
            (&json!("a"), &json!("b"))
        );
        assert_eq!(list["data"][1], parsed(&model("b", 0)));
    }

    #[test]
    fn an_empty_list_has_no_first_model() {
        assert_eq!(parsed(&models([]))["first_id"], Value::Null);
    }
}
