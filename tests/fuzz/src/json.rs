//! JSON read without any code of Deja's: what the targets compare with.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The deepest nesting that is compared.
const DEEPEST: usize = 32;

/// A JSON value whose objects have no order, and whose numbers are known as they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// A number by what it means: an integer exactly, any other as 64 bits hold it.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    Integer(String),
    Float(f64),
}

/// The fields of an object, none of which may stand twice.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(String, _)> = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    if fields.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("a field stands twice"));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl Json {
    /// Reads a text; `None` where it is not JSON, too deep, or has an object with a field twice.
    pub fn read(text: &[u8]) -> Option<Self> {
        Self::of(serde_json::from_slice(text).ok()?, DEEPEST)
    }

    fn of(raw: &RawValue, depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        let text = raw.get();
        Some(match text.as_bytes().first()? {
            b'n' => Self::Null,
            b't' | b'f' => Self::Bool(text == "true"),
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let items = items.into_iter().map(|item| Self::of(item, depth));
                Self::List(items.collect::<Option<_>>()?)
            }
            b'{' => {
                let Fields(fields) = serde_json::from_str(text).ok()?;
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| Some((name, Self::of(value, depth)?)));
                Self::Object(fields.collect::<Option<_>>()?)
            }
            _ => Self::Number(number(text)?),
        })
    }

    /// The request's body without the fields that say how its answer is delivered.
    pub fn without_delivery(mut self) -> Self {
        if let Self::Object(fields) = &mut self {
            fields.remove("stream");
            fields.remove("stream_options");
        }
        self
    }

    /// Writes it otherwise: objects in reverse order, white space, and all characters of texts
    /// escaped.
    pub fn respelled(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str(" null"),
            Self::Bool(value) => text.push_str(&format!("{value}\n")),
            Self::Number(Number::Integer(digits)) => text.push_str(digits),
            Self::Number(Number::Float(float)) => text.push_str(&format!("{float:e}")),
            Self::Text(string) => escape(string, text),
            Self::List(items) => {
                text.push_str("[ ");
                for (at, item) in items.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "\t,\r\n" });
                    item.write(text);
                }
                text.push(']');
            }
            Self::Object(fields) => {
                text.push('{');
                for (at, (name, value)) in fields.iter().rev().enumerate() {
                    text.push_str(if at == 0 { " " } else { " , " });
                    escape(name, text);
                    text.push_str(" :");
                    value.write(text);
                }
                text.push_str("\n}");
            }
        }
    }
}

/// Serde's own numbers decide which text is a number that 64 bits hold.
fn number(text: &str) -> Option<Number> {
    let is_integer = !text.contains(['.', 'e', 'E']) && text != "-0";
    if is_integer {
        return Some(Number::Integer(text.to_owned()));
    }
    let float: f64 = text.parse().ok()?;
    float.is_finite().then_some(Number::Float(float))
}

fn escape(string: &str, text: &mut String) {
    text.push('"');
    for unit in string.encode_utf16() {
        text.push_str(&format!("\\u{unit:04X}"));
    }
    text.push('"');
}
