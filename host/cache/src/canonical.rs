//! The one form of a JSON value that is hashed: object keys sorted, no white space.

use json_escape_simd::escape_into;
use serde_json::Value;

use crate::patch::Patch;

/// Fields of a body that say how an answer is delivered, not what it is.
const DELIVERY: [&str; 2] = ["stream", "stream_options"];

/// The bytes that matter of a request's body, as this patch leaves it.
#[must_use]
pub(crate) fn body(body: &Value, patch: &Patch) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    match body {
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.filter(|(name, _)| !DELIVERY.contains(&name.as_str()));
            object(fields, patch, &mut bytes);
        }
        other => value(other, patch, &mut bytes),
    }
    bytes
}

fn value(json: &Value, patch: &Patch, bytes: &mut Vec<u8>) {
    match (patch, json) {
        (Patch::Replaced(new), _) => value(new, &Patch::Kept, bytes),
        (_, Value::Object(fields)) => object(fields.iter(), patch, bytes),
        (_, Value::Array(items)) => array(items, patch, bytes),
        (_, Value::String(text)) => escape_into(text, bytes),
        (_, scalar) => serde_json::to_writer(bytes, scalar).expect("memory takes every scalar"),
    }
}

fn array(items: &[Value], patch: &Patch, bytes: &mut Vec<u8>) {
    let patched = items.iter().enumerate();
    let patched = patched.map(|(index, item)| (patch.item(index), item));
    let left = patched.filter(|(patch, _)| !patch.is_removed());
    bytes.push(b'[');
    for (index, (patch, item)) in left.enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        value(item, patch, bytes);
    }
    bytes.push(b']');
}

fn object<'a>(
    fields: impl Iterator<Item = (&'a String, &'a Value)>,
    patch: &Patch,
    bytes: &mut Vec<u8>,
) {
    let mut fields: Vec<_> = fields
        .map(|(name, field)| (name, patch.field(name), field))
        .filter(|(_, patch, _)| !patch.is_removed())
        .collect();
    fields.sort_unstable_by_key(|(name, ..)| *name);
    bytes.push(b'{');
    for (index, (name, patch, field)) in fields.into_iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        escape_into(name, bytes);
        bytes.push(b':');
        value(field, patch, bytes);
    }
    bytes.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn body(body: &Value) -> Vec<u8> {
        super::body(body, &Patch::Kept)
    }

    #[test]
    fn order_and_delivery_do_not_matter_and_all_else_does() {
        let one = body(&json!({"b": [1, {"y": 1, "x": "é\n"}], "a": null, "stream": true}));
        let other = body(&json!({"a": null, "stream_options": {}, "b": [1, {"x": "é\n", "y": 1}]}));
        assert_eq!(one, other);
        assert_eq!(one, r#"{"a":null,"b":[1,{"x":"é\n","y":1}]}"#.as_bytes());
        assert_ne!(
            body(&json!({"o": {"stream": true}})),
            body(&json!({"o": {}}))
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn different_values_have_different_bytes(one in any_json(), other in any_json()) {
            let nest = |inner: &Value| json!({ "messages": inner });
            prop_assert_eq!(one == other, body(&nest(&one)) == body(&nest(&other)));
        }

        #[test]
        fn a_patch_writes_what_it_makes(json in any_json(), removed in 0..6_usize, replaced in 0..6_usize) {
            let nested = json!({ "messages": json, "list": [json, [json, 1], json] });
            let mut patch = Patch::default();
            let path = |index: usize| ["list".to_owned(), index.to_string()];
            // Nothing may stand there.
            let _ = patch.put(&nested, &path(removed), Patch::Removed);
            let _ = patch.put(&nested, &path(replaced), Patch::Replaced(json!({"b": 1, "a": 2})));
            prop_assert_eq!(super::body(&nested, &patch), body(&patch.applied(&nested)));
        }

        #[test]
        fn texts_are_written_as_serde_json_writes_them(text in any::<String>(), plain in "[ -~\n]{0,200}") {
            for text in [Value::from(text), Value::from(plain)] {
                let written = serde_json::to_vec(&text).expect("it is JSON");
                prop_assert_eq!(body(&text), written);
            }
        }

        #[test]
        fn the_bytes_say_all_that_the_value_says(json in any_json()) {
            let nested = json!({ "messages": json });
            let read: Value = serde_json::from_slice(&body(&nested)).expect("it is JSON");
            prop_assert_eq!(read, nested);
        }
    }
}
