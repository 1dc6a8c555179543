//! What was said about a response before it was whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Fields that may differ from event to event. Each encryption of the same content is another one,
/// and each is good; some servers number their items anew, and `OpenAI` rounds probabilities.
const FREE_FIELDS: [&str; 3] = ["encrypted_content", "id", "logprob"];

/// Values that the response has to hold, by the JSON pointers of their places in it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Texts and lists that came in pieces.
    pieced: BTreeMap<String, Value>,
    whole: Vec<(String, Value)>,
}

impl Claims {
    /// Adds the next piece of the text at this place.
    pub(super) fn append(&mut self, place: String, piece: &str) {
        let text = self.pieced.entry(place).or_insert_with(|| json!(""));
        if let Value::String(text) = text {
            text.push_str(piece);
        }
    }

    /// Adds the next items of the list at this place.
    pub(super) fn extend(&mut self, place: String, items: Vec<Value>) {
        let list = self.pieced.entry(place).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.extend(items);
        }
    }

    /// Adds the value at this place.
    pub(super) fn insert(&mut self, place: String, value: Value) {
        self.whole.push((place, value));
    }

    /// Returns whether a response holds all of them, so that nothing is lost where it stands alone.
    pub(super) fn hold_in(&self, response: &Value) -> bool {
        let whole = self.whole.iter().map(|(place, value)| (place, value));
        self.pieced
            .iter()
            .chain(whole)
            .all(|(place, value)| holds(response.pointer(place), value))
    }
}

/// Whether a value that was found has in it what was said about it. It may have more.
fn holds(found: Option<&Value>, said: &Value) -> bool {
    match (said, found) {
        _ if is_empty(said) => true,
        (Value::Object(said), Some(Value::Object(found))) => said
            .iter()
            .filter(|(name, _)| !FREE_FIELDS.contains(&name.as_str()))
            .all(|(name, value)| holds(found.get(name), value)),
        (Value::Array(said), Some(Value::Array(found))) => {
            let mut pairs = said.iter().zip(found);
            said.len() == found.len() && pairs.all(|(said, found)| holds(Some(found), said))
        }
        (said, found) => found == Some(said),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_may_say_more_than_was_said() {
        let found = json!({"a": [{"text": "hi", "b": 1}], "id": "2", "encrypted_content": "y"});
        for (said, is_held) in [
            (json!({"a": [{"text": "hi"}], "id": "1"}), true),
            (json!({"encrypted_content": "x", "c": null, "d": []}), true),
            (json!({"a": null}), true),
            (json!({"a": []}), true),
            (json!({"a": [{"text": "hi"}, {}]}), false),
            (json!({"a": [{"text": "ho"}]}), false),
            (json!({"c": "x"}), false),
        ] {
            assert_eq!(holds(Some(&found), &said), is_held, "{said}");
        }
    }

    #[test]
    fn pieces_make_a_whole() {
        let mut claims = Claims::default();
        claims.append("/a".to_owned(), "h");
        claims.append("/a".to_owned(), "i");
        claims.extend("/b".to_owned(), vec![json!(1)]);
        claims.extend("/b".to_owned(), vec![json!(2)]);
        assert!(claims.hold_in(&json!({"a": "hi", "b": [1, 2]})));
        assert!(!claims.hold_in(&json!({"a": "hi", "b": [1]})));
        assert!(!claims.hold_in(&json!({"a": "h", "b": [1, 2]})));
    }
}
