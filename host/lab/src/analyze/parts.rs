//! A body taken apart into fields, each by a digest: enough to see which of them differ.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;

/// The names of places in bodies, by their digests, with `*` for the number of an item.
pub(super) type Paths = HashMap<u64, String>;

/// A field of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// A digest of where it stands.
    pub(super) path: u64,
    /// A digest of what stands there.
    pub(super) value: u64,
}

/// Fields that say how an answer is delivered, and are in no key.
const DELIVERY: [&str; 2] = ["stream", "stream_options"];

/// What a model reads, in the order in which it does.
const PROMPT: [&str; 5] = ["tools", "system", "messages", "prompt", "input"];

/// How the names of fields end that hold what somebody says.
const WORDS: [&str; 4] = ["/text", "/content", "/prompt", "/input"];

/// Bytes of a text that are taken as one, where beginnings are compared.
const CHUNK_BYTES: usize = 256;

/// A piece of a text, or a field that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chunk {
    value: u64,
    /// Bytes of its text.
    pub(super) bytes: u32,
}

impl Chunk {
    fn of_text(text: &[u8]) -> Self {
        Self {
            value: digest(&text),
            bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
        }
    }

    fn of(value: &Value) -> Self {
        let mut counted = Counted::default();
        hash(value, &mut counted);
        Self {
            value: counted.hasher.finish(),
            bytes: counted.bytes,
        }
    }
}

/// A body, taken apart.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Its fields, by where they stand.
    pub(super) all: Vec<Part>,
    /// What a model reads, in its order.
    pub(super) prompt: Vec<Chunk>,
    /// A digest of what was said last.
    pub(super) last_words: Option<u64>,
}

/// Takes a body apart.
pub(super) fn parts(body: &Value, paths: &mut Paths) -> Parts {
    let mut walk = Walk {
        paths,
        parts: Parts::default(),
        name: String::new(),
        is_prompt: true,
    };
    let Some(fields) = body.as_object() else {
        return Parts::default();
    };
    for name in PROMPT {
        if let Some(value) = fields.get(name) {
            walk.field(0, name, value, name != "tools");
        }
    }
    walk.is_prompt = false;
    for (name, value) in fields {
        if !PROMPT.contains(&&**name) && !DELIVERY.contains(&&**name) {
            walk.field(0, name, value, true);
        }
    }
    walk.parts.all.sort_unstable();
    walk.parts
}

struct Walk<'a> {
    paths: &'a mut Paths,
    parts: Parts,
    /// The name of where the walk is.
    name: String,
    /// Whether it is among what a model reads.
    is_prompt: bool,
}

impl Walk<'_> {
    /// A field of an object. Tools are taken as wholes: what changes in one is seldom the point.
    fn field(&mut self, parent: u64, name: &str, value: &Value, deep: bool) {
        let length = self.name.len();
        self.name.push('/');
        self.name.push_str(name);
        self.value(digest(&(parent, name)), value, deep);
        self.name.truncate(length);
    }

    fn value(&mut self, path: u64, value: &Value, deep: bool) {
        match value {
            Value::Object(fields) if deep => {
                for (name, value) in fields {
                    self.field(path, name, value, true);
                }
            }
            Value::Array(items) => {
                let length = self.name.len();
                self.name.push_str("/*");
                for (index, item) in items.iter().enumerate() {
                    self.value(digest(&(path, index)), item, deep);
                }
                self.name.truncate(length);
            }
            scalar => self.part(path, scalar),
        }
    }

    fn part(&mut self, path: u64, value: &Value) {
        let digest = match value {
            Value::String(text) if self.is_prompt => self.read(text),
            value => {
                let chunk = Chunk::of(value);
                if self.is_prompt {
                    self.parts.prompt.push(chunk);
                }
                chunk.value
            }
        };
        self.parts.all.push(Part {
            path,
            value: digest,
        });
        if !self.paths.contains_key(&path) {
            self.paths.insert(path, self.name.clone());
        }
    }

    /// Takes a text that a model reads apart; returns the digest of all of it.
    fn read(&mut self, text: &str) -> u64 {
        let begin = self.parts.prompt.len();
        let chunks = text.as_bytes().chunks(CHUNK_BYTES);
        self.parts.prompt.extend(chunks.map(Chunk::of_text));
        let digest = digest(&(TEXT, &self.parts.prompt[begin..]));
        if WORDS.iter().any(|end| self.name.ends_with(end)) {
            self.parts.last_words = Some(digest);
        }
        digest
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A hasher that counts bytes of text.
#[derive(Default)]
struct Counted {
    hasher: DefaultHasher,
    bytes: u32,
}

impl Counted {
    fn text(&mut self, text: &str) {
        text.hash(&mut self.hasher);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes = self.bytes.saturating_add(length);
    }
}

/// The mark of a text.
const TEXT: u8 = 3;

/// Hashes a value, with a mark of its kind before it. The order of an object's fields counts not.
fn hash(value: &Value, to: &mut Counted) {
    match value {
        Value::Null => 0_u8.hash(&mut to.hasher),
        Value::Bool(truth) => (1_u8, truth).hash(&mut to.hasher),
        Value::Number(number) => {
            2_u8.hash(&mut to.hasher);
            number.hash(&mut to.hasher);
        }
        Value::String(text) => {
            TEXT.hash(&mut to.hasher);
            to.text(text);
        }
        Value::Array(items) => {
            (4_u8, items.len()).hash(&mut to.hasher);
            for item in items {
                hash(item, to);
            }
        }
        Value::Object(fields) => {
            (5_u8, fields.len()).hash(&mut to.hasher);
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in fields {
                to.text(name);
                hash(value, to);
            }
        }
    }
}
