//! What a request's body says of its delivery.

use serde_json::Value;

use crate::{BadRequest, Delivery, field::Field};

/// Reads in which form the answer is wanted.
///
/// # Errors
/// Names `stream` or `stream_options` when it has the wrong type.
pub fn delivery(body: &Value) -> Result<Delivery, BadRequest> {
    let body = Field::body(body);
    let wanted = |field: Option<Field<'_>>| field.map_or(Ok(false), |field| field.boolean());
    let stream = wanted(body.get("stream"))?;
    let options = body.get("stream_options");
    let usage = match &options {
        Some(options) => {
            options.object()?;
            wanted(options.get("include_usage"))?
        }
        None => false,
    };
    Ok(if stream {
        Delivery::Stream { usage }
    } else {
        Delivery::Whole
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_whole_unless_a_stream_is_asked_for() {
        assert_eq!(delivery(&json!({})), Ok(Delivery::Whole));
        assert_eq!(
            delivery(&json!({"stream": true})),
            Ok(Delivery::Stream { usage: false })
        );
        let body = json!({"stream": true, "stream_options": {"include_usage": true}});
        assert_eq!(delivery(&body), Ok(Delivery::Stream { usage: true }));
    }

    #[test]
    fn names_the_field_at_fault() {
        for (body, field) in [
            (json!({"stream": "yes"}), "stream"),
            (json!({"stream_options": []}), "stream_options"),
            (
                json!({"stream_options": {"include_usage": 1}}),
                "stream_options.include_usage",
            ),
        ] {
            let error = delivery(&body).expect_err("it is refused");
            assert_eq!(error.field.as_deref(), Some(field));
        }
    }
}
