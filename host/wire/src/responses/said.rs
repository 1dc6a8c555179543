//! What an event says about the response that its stream ends with.

use serde_json::Value;

use super::claims::Claims;

/// A text that comes in pieces.
struct PiecedText {
    /// What its events are called.
    subject: &'static str,
    /// The list of the item's parts that it belongs to, and the event's field with the part's
    /// number; none where it belongs to the item itself.
    list: Option<(&'static str, &'static str)>,
    /// Its own field.
    field: &'static str,
}

const CONTENT: (&str, &str) = ("content", "content_index");
const SUMMARY: (&str, &str) = ("summary", "summary_index");

const PIECED_TEXTS: [PiecedText; 8] = [
    in_part("output_text", CONTENT, "text"),
    in_part("refusal", CONTENT, "refusal"),
    in_part("reasoning_text", CONTENT, "text"),
    in_part("reasoning_summary_text", SUMMARY, "text"),
    in_item("function_call_arguments", "arguments"),
    in_item("custom_tool_call_input", "input"),
    in_item("mcp_call_arguments", "arguments"),
    in_item("code_interpreter_call_code", "code"),
];

const fn in_part(
    subject: &'static str,
    list: (&'static str, &'static str),
    field: &'static str,
) -> PiecedText {
    PiecedText {
        subject,
        list: Some(list),
        field,
    }
}

const fn in_item(subject: &'static str, field: &'static str) -> PiecedText {
    PiecedText {
        subject,
        list: None,
        field,
    }
}

/// The last words of events that say how far a response or an item is, and nothing that stays.
const STATES: [&str; 10] = [
    "created",
    "queued",
    "in_progress",
    "searching",
    "interpreting",
    "generating",
    "partial_image",
    "compacting",
    "completed",
    "failed",
];

/// Whether an event is one of which it is known what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
}

/// Adds what an event of this type says to the claims; none if the event is malformed.
pub(super) fn read(kind: &str, event: &mut Value, claims: &mut Claims) -> Option<Known> {
    let kind = kind.strip_prefix("response.").unwrap_or(kind);
    let (subject, step) = kind.rsplit_once('.').unwrap_or(("", kind));
    match (subject, step) {
        (_, state) if STATES.contains(&state) => {}
        ("content_part" | "reasoning_summary_part", "added") => {}
        ("output_item", "added") => {
            let kind = event["item"]["type"].clone();
            claims.insert(place(event, None, "/type")?, kind);
        }
        ("output_item", "done") => insert(event, None, "", "item", claims)?,
        ("content_part", "done") => insert(event, Some(CONTENT), "", "part", claims)?,
        ("reasoning_summary_part", "done") => insert(event, Some(SUMMARY), "", "part", claims)?,
        ("output_text.annotation", "added") => {
            let number = event.get("annotation_index")?.as_u64()?;
            let field = format!("/annotations/{number}");
            insert(event, Some(CONTENT), &field, "annotation", claims)?;
        }
        (subject, step @ ("delta" | "done")) => {
            let text = PIECED_TEXTS.iter().find(|text| text.subject == subject);
            let Some(text) = text else {
                return Some(Known::No);
            };
            read_text(text, step, event, claims)?;
        }
        _ => return Some(Known::No),
    }
    Some(Known::Yes)
}

fn read_text(text: &PiecedText, step: &str, event: &mut Value, claims: &mut Claims) -> Option<()> {
    let field = format!("/{}", text.field);
    if step == "done" {
        return insert(event, text.list, &field, text.field, claims);
    }
    let place_of_text = place(event, text.list, &field)?;
    claims.append(place_of_text, event.get("delta")?.as_str()?);
    if let Some(Value::Array(logprobs)) = event.get_mut("logprobs").map(Value::take)
        && !logprobs.is_empty()
    {
        claims.extend(place(event, text.list, "/logprobs")?, logprobs);
    }
    Some(())
}

/// Adds the value of an event's field `name`, which stands at [`place`].
fn insert(
    event: &mut Value,
    list: Option<(&str, &str)>,
    field: &str,
    name: &str,
    claims: &mut Claims,
) -> Option<()> {
    let place = place(event, list, field)?;
    claims.insert(place, event.get_mut(name)?.take());
    Some(())
}

/// Returns the pointer to what an event is about: an item, a part in a list of it, or a field of
/// either.
fn place(event: &Value, list: Option<(&str, &str)>, field: &str) -> Option<String> {
    let number = |name: &str| event.get(name)?.as_u64();
    let item = number("output_index")?;
    Some(match list {
        None => format!("/output/{item}{field}"),
        Some((list, index)) => format!("/output/{item}/{list}/{}{field}", number(index)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_is_about_its_place() {
        let place = |index: &str| json!({"output_index": 0, index: 0});
        for (kind, index, fields) in [
            ("output_text.delta", "content_index", json!({"delta": "a"})),
            ("output_text.done", "content_index", json!({"text": "a"})),
            (
                "content_part.done",
                "content_index",
                json!({"part": {"text": "a"}}),
            ),
            (
                "reasoning_summary_text.delta",
                "summary_index",
                json!({"delta": "b"}),
            ),
            (
                "function_call_arguments.done",
                "x",
                json!({"arguments": "c"}),
            ),
            ("output_item.done", "x", json!({"item": {"arguments": "c"}})),
            (
                "output_text.delta",
                "content_index",
                json!({"delta": "a", "logprobs": [{"token": "a"}]}),
            ),
        ] {
            let mut event = place(index);
            let fields = fields.as_object().expect("it is an object").clone();
            event.as_object_mut().expect("it is one").extend(fields);
            let mut claims = Claims::default();
            let kind = format!("response.{kind}");
            assert_eq!(
                read(&kind, &mut event, &mut claims),
                Some(Known::Yes),
                "{kind}"
            );
            let part = json!({"text": "a", "logprobs": [{"token": "a"}]});
            let item = json!({"content": [part], "summary": [{"text": "b"}], "arguments": "c"});
            assert!(claims.hold_in(&json!({"output": [item]})), "{kind}");
            assert!(!claims.hold_in(&json!({"output": []})), "{kind}");
        }
    }

    #[test]
    fn events_without_a_place_are_malformed_and_others_unknown() {
        for (kind, event, known) in [
            ("response.output_text.delta", json!({"delta": "a"}), None),
            (
                "response.output_item.done",
                json!({"output_index": 0}),
                None,
            ),
            ("response.new.delta", json!({}), Some(Known::No)),
            ("new", json!({}), Some(Known::No)),
            ("response.queued", json!({}), Some(Known::Yes)),
            (
                "response.web_search_call.searching",
                json!({}),
                Some(Known::Yes),
            ),
        ] {
            let found = read(kind, &mut event.clone(), &mut Claims::default());
            assert_eq!(found, known, "{kind}");
        }
    }
}
