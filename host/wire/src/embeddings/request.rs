//! From the body of `POST /v1/embeddings` to what a model is asked.

use serde_json::Value;

use super::Encoding;
use crate::{
    BadRequest, EmbeddingInput, EmbeddingRequest, field::Field, openai::parameters::model,
};

/// The most inputs that the API takes.
const MOST_INPUTS: usize = 2048;

/// Reads what is to be embedded.
///
/// # Errors
/// Names the first field that is missing, of the wrong type or out of range.
pub fn embedding_request(body: &Value) -> Result<EmbeddingRequest, BadRequest> {
    let body = Field::body(body);
    let dimensions = body.get("dimensions");
    Ok(EmbeddingRequest {
        model: model(&body)?,
        inputs: inputs(&body.need("input")?)?,
        dimensions: dimensions
            .map(|dimensions| dimensions.integer(1.., "from 1 on"))
            .transpose()?,
    })
}

/// Reads in which form the vectors are wanted.
///
/// # Errors
/// Names the field if its value is none that the API knows.
pub fn encoding(body: &Value) -> Result<Encoding, BadRequest> {
    let body = Field::body(body);
    let Some(encoding) = body.get("encoding_format") else {
        return Ok(Encoding::default());
    };
    match encoding.value.as_str() {
        Some("float") => Ok(Encoding::Float),
        Some("base64") => Ok(Encoding::Base64),
        _ => Err(encoding.wrong("must be `float` or `base64`")),
    }
}

/// One text, the tokens of one, or a list of either. Mistakes are told of the field, not of the
/// item: a list of numbers and a list of inputs look alike.
fn inputs(field: &Field<'_>) -> Result<Vec<EmbeddingInput>, BadRequest> {
    let wrong = |problem: &str| field.wrong(problem);
    let items = match field.value {
        Value::String(text) => return Ok(vec![self::text(text).map_err(wrong)?]),
        Value::Array(items) => items,
        _ => return Err(wrong(KINDS)),
    };
    if items.first().is_some_and(Value::is_number) {
        return Ok(vec![tokens(items).map_err(wrong)?]);
    }
    if !(1..=MOST_INPUTS).contains(&items.len()) {
        return Err(wrong(&format!("must hold from 1 to {MOST_INPUTS} inputs")));
    }
    let inputs = items.iter().map(|item| match item {
        Value::String(text) => self::text(text),
        Value::Array(numbers) => tokens(numbers),
        _ => Err(KINDS),
    });
    inputs.collect::<Result<_, _>>().map_err(wrong)
}

const KINDS: &str = "must be a string, a list of tokens, or a list of either";

fn text(text: &str) -> Result<EmbeddingInput, &'static str> {
    if text.is_empty() {
        return Err("must not have an empty text");
    }
    Ok(EmbeddingInput::Text(text.to_owned()))
}

fn tokens(numbers: &[Value]) -> Result<EmbeddingInput, &'static str> {
    if numbers.is_empty() {
        return Err("must not have an empty list of tokens");
    }
    let tokens = numbers.iter().map(|number| {
        let token = number.as_u64().and_then(|number| number.try_into().ok());
        token.ok_or("must name tokens by whole numbers from 0 on")
    });
    Ok(EmbeddingInput::Tokens(tokens.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> EmbeddingInput {
        EmbeddingInput::Text(text.to_owned())
    }

    #[test]
    fn reads_every_form_of_the_input() {
        let tokens = |tokens: &[u32]| EmbeddingInput::Tokens(tokens.to_vec());
        for (input, expected) in [
            (json!("one"), vec![text("one")]),
            (json!(["one", "two"]), vec![text("one"), text("two")]),
            (json!([7, 0]), vec![tokens(&[7, 0])]),
            (json!([[7], [8, 9]]), vec![tokens(&[7]), tokens(&[8, 9])]),
            (json!([[7], "one"]), vec![tokens(&[7]), text("one")]),
        ] {
            let request = embedding_request(&json!({"model": "m", "input": input}));
            let expected = EmbeddingRequest {
                model: Some("m".to_owned()),
                inputs: expected,
                dimensions: None,
            };
            assert_eq!(request, Ok(expected), "{input}");
        }
    }

    #[test]
    fn reads_the_length_and_the_form_of_the_vectors() {
        let body = json!({"input": "one", "dimensions": 7, "encoding_format": "base64"});
        let request = embedding_request(&body).expect("it is good");
        assert_eq!(request.dimensions, Some(7));
        assert_eq!(encoding(&body), Ok(Encoding::Base64));
        for neutral in [json!({}), json!({"encoding_format": null})] {
            assert_eq!(encoding(&neutral), Ok(Encoding::Float));
        }
    }

    #[test]
    fn names_the_field_at_fault() {
        for (field, value) in [
            ("input", json!(null)),
            ("input", json!("")),
            ("input", json!(7)),
            ("input", json!({})),
            ("input", json!([])),
            ("input", json!([[]])),
            ("input", json!(["one", ""])),
            ("input", json!(["one", 7])),
            ("input", json!(["one", null])),
            ("input", json!([7, "one"])),
            ("input", json!([7, -1])),
            ("input", json!([0.5])),
            ("input", json!([1u64 << 32])),
            ("input", json!([[7, true]])),
            ("input", json!(vec!["one"; MOST_INPUTS + 1])),
            ("model", json!(7)),
            ("dimensions", json!(0)),
            ("dimensions", json!("many")),
            ("encoding_format", json!("hex")),
            ("encoding_format", json!(1)),
        ] {
            let mut body = json!({"input": "one"});
            body[field] = value;
            let refused = embedding_request(&body).and_then(|_| encoding(&body));
            let error = refused.expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{error}");
            assert!(error.message.contains(field), "{error}");
        }
    }
}
