//! Reads a request's body, and nothing into it that its author did not write.
//!
//! Readers of JSON differ where it says a thing twice, or a number that they cannot hold. If we
//! understood such a body in another way than the upstream, its answer would be kept under the key
//! of another question.

use std::{fmt, ops::Deref, sync::Arc};

use memchr::{memchr, memchr2};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use tokio::runtime::Handle;

use crate::budget::Share;

/// Digits from which on an integer may not fit into 64 bits.
const LONG_DIGITS: usize = 19;

/// Bytes of values that are parsed beside the threads that serve: some milliseconds.
const LARGE: usize = 4 << 20;

/// Bytes of a value in a list or an object, which has room for twice as many as it holds.
const VALUE_BYTES: usize = 2 * size_of::<Value>();

/// Bytes of a list with one value: it has room for four, and the allocator adds its own.
const LIST_BYTES: usize = 4 * size_of::<Value>() + 16;

/// Bytes of an object with one field: it has room for some, and a table to find them in.
const OBJECT_BYTES: usize = 352;

/// Bytes of a field, its value apart.
const FIELD_BYTES: usize = 128;

/// Bytes that a string takes besides its text.
const STRING_BYTES: usize = 32;

/// A JSON value none of whose objects names a field twice.
#[derive(Debug)]
pub(crate) struct Unambiguous(pub(crate) Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0));
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = fields.next_entry::<String, _>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the field `{name}` stands twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// A body's values, which many may read.
#[derive(Debug)]
pub(crate) struct ParsedBody {
    value: Arc<Value>,
    /// What they take of the memory for all parsed bodies, where they take much.
    share: Option<Share>,
}

impl ParsedBody {
    pub(crate) fn new(value: Value, share: Option<Share>) -> Self {
        Self {
            value: Arc::new(value),
            share,
        }
    }

    /// Puts other values in the place of these.
    pub(crate) fn replace(&mut self, value: Value) {
        self.value = Arc::new(value);
    }

    /// Whether work on it would hold up others, on a thread that serves.
    pub(crate) fn is_large(&self) -> bool {
        self.share.is_some()
    }

    /// The values, for one who is done with them before their owner is.
    pub(crate) fn shared(&self) -> Arc<Value> {
        self.value.clone()
    }
}

impl Deref for ParsedBody {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

/// To free millions of values takes as long as to make them.
impl Drop for ParsedBody {
    fn drop(&mut self) {
        let Some(share) = self.share.take() else {
            return;
        };
        if let Ok(runtime) = Handle::try_current() {
            let value = std::mem::take(&mut self.value);
            runtime.spawn_blocking(move || drop((value, share)));
        }
    }
}

/// What a JSON text shows before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Bytes of memory that its values take at most once it is parsed.
    pub(crate) parsed_bytes: usize,
    /// Whether it may hold an integer of which 64 bits do not tell the whole.
    pub(crate) has_long_integer: bool,
}

impl Outline {
    /// Reads a text once, its strings at the speed of memory.
    pub(crate) fn of(json: &[u8]) -> Self {
        let mut outline = Self {
            parsed_bytes: json.len(),
            has_long_integer: false,
        };
        let mut rest = json;
        loop {
            let quote = memchr(b'"', rest);
            outline.read(&rest[..quote.unwrap_or(rest.len())]);
            let Some(quote) = quote else {
                return outline;
            };
            outline.parsed_bytes += STRING_BYTES;
            rest = after_string(&rest[quote + 1..]);
        }
    }

    /// Whether parsing it would hold up others, on a thread that serves.
    pub(crate) fn is_large(&self) -> bool {
        self.parsed_bytes >= LARGE
    }

    /// Reads what stands between two strings.
    fn read(&mut self, structure: &[u8]) {
        let mut digits = 0;
        for &byte in structure {
            self.parsed_bytes += match byte {
                b'[' => LIST_BYTES,
                b'{' => OBJECT_BYTES,
                b':' => FIELD_BYTES,
                b',' => VALUE_BYTES,
                _ => 0,
            };
            digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
            self.has_long_integer |= digits >= LONG_DIGITS;
        }
    }
}

/// What follows a string, of which the rest and its quotation mark stand here.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(json: &str) -> Result<Value, String> {
        serde_json::from_str::<Unambiguous>(json)
            .map(|Unambiguous(value)| value)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_said_twice_is_refused_however_deep() {
        for json in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"x": [{"a": 1, "b": {}, "a": 2}]}"#,
            r#"{"a": 1, "\u0061": 2}"#,
        ] {
            let error = read(json).expect_err("it says a thing twice");
            assert!(error.contains("`a` stands twice"), "{error}");
        }
    }

    #[test]
    fn long_integers_are_seen_outside_strings_only() {
        let has_long_integer = |json: &[u8]| Outline::of(json).has_long_integer;
        assert!(has_long_integer(br#"{"seed": 12345678901234567890123}"#));
        assert!(has_long_integer(br#"["\\", -9223372036854775809]"#));
        assert!(!has_long_integer(
            br#"{"s": "12345678901234567890\"123456789012345678901"}"#
        ));
        assert!(!has_long_integer(br#"[123456789012345678, 0.5, "\\"]"#));
    }

    #[test]
    fn what_stands_in_strings_takes_no_values() {
        let text = json!({"content": "[[{\"a\": 1}, \\".repeat(100)}).to_string();
        let parsed = Outline::of(text.as_bytes()).parsed_bytes;
        assert_eq!(
            parsed,
            text.len() + OBJECT_BYTES + FIELD_BYTES + 2 * STRING_BYTES
        );
    }

    /// Bytes of memory that a value holds.
    fn held(value: &Value) -> usize {
        match value {
            Value::String(text) => text.capacity(),
            Value::Array(items) => {
                items.capacity() * size_of::<Value>() + items.iter().map(held).sum::<usize>()
            }
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| size_of::<(String, Value)>() + name.capacity() + held(field))
                .sum(),
            _ => 0,
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_take_no_more_than_the_outline_says(json in any_json()) {
            let outline = Outline::of(json.to_string().as_bytes());
            prop_assert!(held(&read(&json.to_string()).expect("it is JSON")) <= outline.parsed_bytes);
        }

        #[test]
        fn all_else_is_read_as_serde_json_reads_it(json in any_json()) {
            let text = json.to_string();
            prop_assert_eq!(read(&text), Ok(serde_json::from_str::<Value>(&text).expect("it is JSON")));
        }
    }
}
