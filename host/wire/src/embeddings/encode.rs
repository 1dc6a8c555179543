//! The answer to `POST /v1/embeddings`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::{Embedding, openai::json};

/// The form of a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A list of numbers.
    #[default]
    Float,
    /// The numbers' 32 bits, little-endian, in Base64: half as long, and what `OpenAI`'s SDKs
    /// ask for.
    Base64,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Float(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// The document that tells these embeddings, in the order of their inputs.
#[must_use]
pub fn embeddings(model: &str, embeddings: &[Embedding], encoding: Encoding) -> String {
    let tokens = embeddings.iter().map(|one| u64::from(one.tokens)).sum();
    let items = embeddings.iter().enumerate().map(|(index, one)| Item {
        object: "embedding",
        index,
        embedding: Vector::new(&one.vector, encoding),
    });
    json(&List {
        object: "list",
        data: items.collect(),
        model,
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    })
}

impl<'a> Vector<'a> {
    fn new(vector: &'a [f32], encoding: Encoding) -> Self {
        match encoding {
            Encoding::Float => Self::Float(vector),
            Encoding::Base64 => {
                let bytes = vector.iter().flat_map(|value| value.to_le_bytes());
                Self::Base64(STANDARD.encode(bytes.collect::<Vec<_>>()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(encoding: Encoding) -> Value {
        let made = [(vec![0.6, -0.8], 3), (vec![1.0, 0.0], 4)];
        let made = made.map(|(vector, tokens)| Embedding { vector, tokens });
        serde_json::from_str(&embeddings("m", &made, encoding)).expect("it is JSON")
    }

    #[test]
    fn vectors_stand_in_their_order_with_what_they_took() {
        let expected = json!({
            "object": "list",
            "data": [
                {"object": "embedding", "index": 0, "embedding": [0.6, -0.8]},
                {"object": "embedding", "index": 1, "embedding": [1.0, 0.0]},
            ],
            "model": "m",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        });
        assert_eq!(told(Encoding::Float), expected);
    }

    #[test]
    fn base64_is_of_the_little_endian_bytes() {
        let document = told(Encoding::Base64);
        // As Python's `base64.b64encode(struct.pack("<2f", 1.0, 0.0))` has it.
        assert_eq!(document["data"][1]["embedding"], "AACAPwAAAAA=");
    }
}
