//! Goes through a body once and finds what does not matter.

use deja_plugin::keyer::{Change, Edit};
use serde_json::Value;

use crate::settings::Settings;

/// An edit for each thing in a body that does not matter.
pub(crate) fn edits(body: &Value, settings: &Settings) -> Vec<Edit> {
    let mut walk = Walk {
        settings,
        place: String::new(),
        edits: Vec::new(),
    };
    walk.inside(body);
    walk.edits
}

struct Walk<'s> {
    settings: &'s Settings,
    /// The pointer to the value that the walk has come to.
    place: String,
    edits: Vec<Edit>,
}

impl Walk<'_> {
    fn inside(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.step(&escaped(name), Some(name), value);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.step(&index.to_string(), None, item);
                }
            }
            _ => {}
        }
    }

    /// Goes one step down and comes back. What stands inside a dropped value goes with it: edits
    /// must not overlap.
    fn step(&mut self, step: &str, name: Option<&str>, value: &Value) {
        let above = self.place.len();
        self.place.push('/');
        self.place.push_str(step);
        match self.rule(name) {
            Some(rule) => self.edits.push(Edit {
                rule,
                change: Change::Remove(self.place.clone()),
            }),
            None => self.inside(value),
        }
        self.place.truncate(above);
    }

    /// The rule that drops what stands here, if one does.
    fn rule(&self, name: Option<&str>) -> Option<String> {
        let pointer = self.settings.pointers.get(&self.place);
        let rule = pointer.or_else(|| self.settings.names.get(name?));
        rule.cloned()
    }
}

/// A name as a step of a pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Rules and places of the edits.
    fn found(body: &Value, config: &Value) -> Vec<(String, String)> {
        let settings = Settings::parse(&config.to_string()).expect("these are settings");
        let found = edits(body, &settings).into_iter().map(|edit| {
            let Change::Remove(pointer) = edit.change else {
                panic!("only removals are asked for");
            };
            (edit.rule, pointer)
        });
        found.collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(rule, place): &(&str, &str)| ((*rule).to_owned(), (*place).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_pointer_drops_what_stands_there() {
        let body = json!({"user": null, "list": [1, {"a/b": 2, "~": 3}], "a/b": 4});
        let config = json!({"pointers": ["/user", "/list/1/a~1b", "/list/1/~0", "/list/0"]});
        let expected = [
            ("/list/0", "/list/0"),
            ("/list/1/a~1b", "/list/1/a~1b"),
            ("/list/1/~0", "/list/1/~0"),
            ("/user", "/user"),
        ];
        let mut found = found(&body, &config);
        found.sort();
        assert_eq!(found, pairs(&expected));
    }

    #[test]
    fn a_name_drops_its_fields_wherever_they_stand() {
        let body =
            json!({"id": 1, "messages": [{"id": "x", "content": "id"}, ["id"]], "ids": {"id": {}}});
        let expected = [("id", "/id"), ("id", "/ids/id"), ("id", "/messages/0/id")];
        let mut found = found(&body, &json!({"names": ["id"]}));
        found.sort();
        assert_eq!(found, pairs(&expected));
    }

    #[test]
    fn what_is_absent_is_no_edit() {
        let body = json!({"list": [1], "text": "user"});
        let config =
            json!({"pointers": ["/user", "/list/1", "/text/0", "/list/00"], "names": ["id"]});
        assert_eq!(found(&body, &config), []);
        assert_eq!(found(&json!("text"), &config), []);
    }

    #[test]
    fn what_stands_inside_goes_with_the_whole() {
        let body = json!({"metadata": {"user_id": "a", "id": 1}});
        let config = json!({"pointers": ["/metadata/user_id", "/metadata"], "names": ["id"]});
        assert_eq!(found(&body, &config), pairs(&[("/metadata", "/metadata")]));
    }

    /// JSON of names that need escapes, and of some that are dropped.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), "[a-c]".prop_map(Value::from)];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab~/01]{0,2}", inner, 0..4)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    /// JSON without the fields of a name: the same by the simplest means.
    fn without(name: &str, value: Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .into_iter()
                .filter(|(field, _)| field != name)
                .map(|(field, value)| (field, without(name, value)))
                .collect(),
            Value::Array(items) => items.into_iter().map(|item| without(name, item)).collect(),
            other => other,
        }
    }

    fn remove(body: &mut Value, pointer: &str) {
        let (parent, name) = pointer.rsplit_once('/').expect("it has a parent");
        let name = name.replace("~1", "/").replace("~0", "~");
        let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
        parent
            .and_then(|fields| fields.remove(&name))
            .expect("the field is there");
    }

    proptest! {
        #[test]
        fn every_field_of_the_name_goes_and_nothing_else(body in any_json(), name in "[ab~/01]{0,2}") {
            let mut edited = body.clone();
            for (rule, pointer) in found(&body, &json!({"names": [name]})).into_iter().rev() {
                prop_assert_eq!(&rule, &name);
                remove(&mut edited, &pointer);
            }
            prop_assert_eq!(edited, without(&name, body));
        }
    }
}
