//! The models on offer, told so that `OpenAI`'s SDK and Anthropic's both understand.

use jiff::Timestamp;
use serde::Serialize;

/// A model on offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub id: String,
    /// When it was made, in seconds since the Unix epoch; 0 where nobody says.
    pub created: u64,
    /// Tokens that prompt and answer may have together, where that is known.
    pub context_length: Option<u32>,
    /// Whether it is in memory, where that is known.
    pub loaded: Option<bool>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    r#type: &'static str,
    display_name: &'a str,
    created_at: String,
    /// Not of the APIs; like the next one, left out where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<bool>,
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
    fn new(offer: &'a Offer) -> Self {
        let seconds = i64::try_from(offer.created).unwrap_or(i64::MAX);
        Self {
            id: &offer.id,
            object: "model",
            created: offer.created,
            owned_by: "deja",
            r#type: "model",
            display_name: &offer.id,
            created_at: Timestamp::from_second(seconds)
                .unwrap_or(Timestamp::MAX)
                .to_string(),
            context_length: offer.context_length,
            loaded: offer.loaded,
        }
    }
}

/// The list of models.
#[must_use]
pub fn models(offers: &[Offer]) -> String {
    let data: Vec<_> = offers.iter().map(Model::new).collect();
    super::json(&List {
        object: "list",
        has_more: false,
        first_id: data.first().map(|model| model.id),
        last_id: data.last().map(|model| model.id),
        data,
    })
}

/// One model.
#[must_use]
pub fn model(offer: &Offer) -> String {
    super::json(&Model::new(offer))
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
        let offer = |id: &str, created| Offer {
            id: id.to_owned(),
            created,
            ..Offer::default()
        };
        let loaded = Offer {
            context_length: Some(2048),
            loaded: Some(true),
            ..offer("a", 1_700_000_000)
        };
        let list = parsed(&models(&[loaded, offer("b", 0)]));
        assert_eq!(list["data"][0]["context_length"], 2048);
        assert_eq!(list["data"][0]["loaded"], true);
        assert_eq!(list["data"][1].get("loaded"), None);
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"][0]["created"], 1_700_000_000);
        assert_eq!(list["data"][0]["created_at"], "2023-11-14T22:13:20Z");
        assert_eq!(list["data"][1]["type"], "model");
        assert_eq!(list["has_more"], false);
        assert_eq!(
            (&list["first_id"], &list["last_id"]),
            (&json!("a"), &json!("b"))
        );
        assert_eq!(list["data"][1], parsed(&model(&offer("b", 0))));
    }

    #[test]
    fn an_empty_list_has_no_first_model() {
        assert_eq!(parsed(&models(&[]))["first_id"], Value::Null);
    }
}
