//! The one form of a JSON value that is hashed: object keys sorted, no white space.

use serde_json::Value;

/// Fields of a body that say how an answer is delivered, not what it is.
const DELIVERY: [&str; 2] = ["stream", "stream_options"];

/// The bytes of a request's body that matter.
#[must_use]
pub(crate) fn body(body: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    match body {
        Value::Object(fields) => object(
            fields
                .iter()
                .filter(|(name, _)| !DELIVERY.contains(&name.as_str())),
            &mut bytes,
        ),
        other => value(other, &mut bytes),
    }
    bytes
}

fn value(json: &Value, bytes: &mut Vec<u8>) {
    match json {
        Value::Object(fields) => object(fields.iter(), bytes),
        Value::Array(items) => {
            bytes.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                value(item, bytes);
            }
            bytes.push(b']');
        }
        scalar => write(scalar, bytes),
    }
}

fn object<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>, bytes: &mut Vec<u8>) {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    bytes.push(b'{');
    for (index, (name, field)) in fields.into_iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        write(name, bytes);
        bytes.push(b':');
        value(field, bytes);
    }
    bytes.push(b'}');
}

fn write(scalar: &impl serde::Serialize, bytes: &mut Vec<u8>) {
    serde_json::to_writer(bytes, scalar).expect("memory takes every scalar");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

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
        fn the_bytes_say_all_that_the_value_says(json in any_json()) {
            let nested = json!({ "messages": json });
            let read: Value = serde_json::from_slice(&body(&nested)).expect("it is JSON");
            prop_assert_eq!(read, nested);
        }
    }
}
