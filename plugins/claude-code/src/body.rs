//! A request's body, read as far as the rules look. It is read once, and strings are borrowed where
//! their JSON has no escapes in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::tools::Tool;

/// A body with messages: Anthropic's or `OpenAI`'s.
#[derive(serde::Deserialize)]
pub(crate) struct Body<'a> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(default)]
    diagnostics: Option<Diagnostics>,
    #[serde(borrow, default)]
    pub(crate) system: Content<'a>,
    #[serde(borrow)]
    pub(crate) messages: Vec<Item<'a>>,
    #[serde(borrow)]
    pub(crate) tools: Option<Vec<Tool<'a>>>,
    #[serde(default, deserialize_with = "is_there")]
    pub(crate) cache_control: bool,
}

#[derive(serde::Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
}

#[derive(Default, serde::Deserialize)]
struct Diagnostics {
    #[serde(default, deserialize_with = "is_there")]
    previous_message_id: bool,
}

impl Body<'_> {
    /// `metadata.user_id`.
    pub(crate) fn user_id(&self) -> Option<&str> {
        self.metadata.as_ref()?.user_id.as_deref()
    }

    /// Whether there is a `diagnostics.previous_message_id`.
    pub(crate) fn has_previous_message_id(&self) -> bool {
        self.diagnostics
            .as_ref()
            .is_some_and(|diagnostics| diagnostics.previous_message_id)
    }
}

/// A string. Unlike an `Option` of a [`Cow`], one of this is borrowed.
#[derive(serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What a message, or a tool's result, holds.
#[derive(Default)]
pub(crate) enum Content<'a> {
    /// One string.
    Text(Cow<'a, str>),
    /// A list of blocks.
    Blocks(Vec<Item<'a>>),
    /// Nothing, or something that no rule knows.
    #[default]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a list of blocks, an object or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Content::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut blocks = Vec::new();
        while let Some(block) = list.next_element()? {
            blocks.push(block);
        }
        Ok(Content::Blocks(blocks))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::Other)
    }
}

/// A message, a block of its content, or one of its tool calls: what the rules look at in any of
/// them.
#[derive(Default)]
pub(crate) struct Item<'a> {
    pub(crate) role: Option<Text<'a>>,
    pub(crate) kind: Option<Text<'a>>,
    pub(crate) text: Option<Text<'a>>,
    pub(crate) content: Content<'a>,
    pub(crate) id: Option<Text<'a>>,
    pub(crate) tool_use_id: Option<Text<'a>>,
    pub(crate) tool_call_id: Option<Text<'a>>,
    pub(crate) tool_calls: Option<Vec<Item<'a>>>,
    pub(crate) has_cache_control: bool,
    pub(crate) has_signature: bool,
    /// How many fields it has, cache marks not counted.
    fields: usize,
}

impl Item<'_> {
    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.role.as_deref() == Some(role)
    }

    pub(crate) fn is_a(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// Whether it says nothing but its text: a message has two fields then, and a block too.
    pub(crate) fn is_bare(&self) -> bool {
        self.fields == 2
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut item = Item::default();
        while let Some(Text(name)) = object.next_key()? {
            item.fields += usize::from(name != "cache_control");
            match &*name {
                "role" => item.role = object.next_value()?,
                "type" => item.kind = object.next_value()?,
                "text" => item.text = object.next_value()?,
                "content" => item.content = object.next_value()?,
                "id" => item.id = object.next_value()?,
                "tool_use_id" => item.tool_use_id = object.next_value()?,
                "tool_call_id" => item.tool_call_id = object.next_value()?,
                "tool_calls" => item.tool_calls = object.next_value()?,
                other => {
                    object.next_value::<IgnoredAny>()?;
                    item.has_cache_control |= other == "cache_control";
                    item.has_signature |= other == "signature";
                }
            }
        }
        Ok(item)
    }
}

/// Reads over a field that is there, whatever it holds.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_escapes_is_borrowed() {
        let json = r#"{"messages": [{"role": "user", "content": [
            {"type": "text", "text": "plain"}, {"type": "text", "text": "two\nlines", "new": 1}
        ]}]}"#;
        let body: Body<'_> = serde_json::from_str(json).expect("it is a body");
        let Content::Blocks(blocks) = &body.messages[0].content else {
            panic!("the content is a list");
        };
        assert!(matches!(
            &blocks[0].text,
            Some(Text(Cow::Borrowed("plain")))
        ));
        assert_eq!(blocks[1].text.as_deref(), Some("two\nlines"));
        assert!(blocks[0].is_bare() && !blocks[1].is_bare());
    }

    #[test]
    fn content_of_other_shapes_is_let_be() {
        for content in ["null", "{}", r#"{"type": "error"}"#] {
            let json = format!(r#"{{"messages": [{{"content": {content}}}]}}"#);
            let body: Body<'_> = serde_json::from_str(&json).expect("it is a body");
            assert!(matches!(body.messages[0].content, Content::Other));
        }
    }
}
