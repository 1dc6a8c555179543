//! Where two requests differ, field by field.

use std::collections::BTreeMap;

use serde_json::Value;

/// A place at which two requests differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// RFC 6901 pointer to it.
    pub pointer: String,
    /// What the one asked has there, if anything.
    pub asked: Option<Value>,
    /// What the stored one has there, if anything.
    pub stored: Option<Value>,
}

/// The scalars of a request, and its empty lists and objects, by pointer.
pub(crate) type Leaves<'a> = BTreeMap<String, &'a Value>;

/// The leaves of a request.
pub(crate) fn leaves(request: &Value) -> Leaves<'_> {
    let mut leaves = Leaves::new();
    collect(request, String::new(), &mut leaves);
    leaves
}

fn collect<'a>(value: &'a Value, pointer: String, leaves: &mut Leaves<'a>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(field, format!("{pointer}/{name}"), leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), leaves);
            }
        }
        leaf => {
            leaves.insert(pointer, leaf);
        }
    }
}

/// How many leaves differ.
pub(crate) fn distance(asked: &Leaves<'_>, stored: &Leaves<'_>) -> usize {
    let missing = |one: &Leaves<'_>, other: &Leaves<'_>| {
        one.keys()
            .filter(|pointer| !other.contains_key(*pointer))
            .count()
    };
    let changed = asked
        .iter()
        .filter(|(pointer, value)| stored.get(*pointer).is_some_and(|other| other != *value))
        .count();
    changed + missing(asked, stored) + missing(stored, asked)
}

/// The leaves that differ, by pointer.
pub(crate) fn differences(asked: &Leaves<'_>, stored: &Leaves<'_>) -> Vec<Difference> {
    let pointers: std::collections::BTreeSet<_> = asked.keys().chain(stored.keys()).collect();
    pointers
        .into_iter()
        .filter(|pointer| asked.get(*pointer) != stored.get(*pointer))
        .map(|pointer| Difference {
            pointer: pointer.clone(),
            asked: asked.get(pointer).map(|value| (*value).clone()),
            stored: stored.get(pointer).map(|value| (*value).clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_leaf_that_differs_is_named_with_both_values() {
        let asked = json!({"a/b": 1, "m": [{"x": "one"}, "new"], "same": {}});
        let stored = json!({"a/b": 2, "m": [{"x": "one"}], "same": {}, "old": null});
        let (asked, stored) = (leaves(&asked), leaves(&stored));
        let difference = |pointer: &str, asked, stored| Difference {
            pointer: pointer.to_owned(),
            asked,
            stored,
        };
        let found = differences(&asked, &stored);
        assert_eq!(
            found,
            [
                difference("/a~1b", Some(json!(1)), Some(json!(2))),
                difference("/m/1", Some(json!("new")), None),
                difference("/old", None, Some(json!(null))),
            ]
        );
        assert_eq!(distance(&asked, &stored), found.len());
    }
}
