//! What users and tools say.
//!
//! Every turn keeps its role and its parts, in their order. A part that is a text keeps half of its
//! words, any other one all that it holds, marks for prompt caches and ids aside. What agents add
//! in the user's name, a text that is one tagged element, may go, but not if a turn holds
//! nothing else.

use crate::edited::{Edited, pairwise};

use super::words;

/// The roles of those whose turns are not held.
const NOT_HELD: [&str; 4] = ["assistant", "developer", "model", "system"];

/// Fields of a part that say nothing to the model.
const SILENT: [&str; 4] = ["cache_control", "id", "tool_call_id", "tool_use_id"];

/// Items that hold what a tool answered, in [`OUTPUT`].
const OUTPUTS: [&str; 2] = ["function_call_output", "custom_tool_call_output"];
const OUTPUT: &str = "output";

/// The fields of a part that hold what it says.
const TEXT: &str = "text";
const CONTENT: &str = "content";

/// The field of a part that says what the others mean.
const TYPE: &str = "type";

/// Returns whether a list of messages keeps the turns of users and tools.
pub(super) fn are_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    match (came.items(), left.items()) {
        (Some(came), Some(left)) => pairwise(came.filter(is_held), left.filter(is_held), is_kept),
        _ => left.equals(came),
    }
}

/// Returns whether a list of items keeps what users and tools say; a text, half of its words.
pub(super) fn items_are_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    match (came.items(), left.items()) {
        (Some(came), Some(left)) => pairwise(
            came.filter(is_held_item),
            left.filter(is_held_item),
            item_is_kept,
        ),
        _ => texts_are_kept(came, left),
    }
}

/// Returns whether an item is not the model's own.
fn is_held_item(item: &Edited<'_>) -> bool {
    let is_own = |kind: &str| kind == "reasoning" || kind.ends_with("_call");
    is_held(item) && !kind(*item).is_some_and(is_own)
}

fn item_is_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    match (kind(came), kind(left)) {
        (None | Some("message"), None | Some("message")) => is_kept(came, left),
        (Some(was), Some(is)) if was == is && OUTPUTS.contains(&was) => {
            content_is_kept(came.get(OUTPUT), left.get(OUTPUT))
        }
        _ => left.equals(came),
    }
}

fn kind(item: Edited<'_>) -> Option<&str> {
    item.get(TYPE)?.text()
}

/// Returns whether a text, or each of a list of them, is kept. What is no text stays as it is.
pub(super) fn texts_are_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    if let (Some(came), Some(left)) = (came.text(), left.text()) {
        return words::are_kept(came, left);
    }
    match (came.items(), left.items()) {
        (Some(came), Some(left)) => pairwise(came, left, texts_are_kept),
        _ => left.equals(came),
    }
}

/// Returns whether a message is a user's or a tool's, or of somebody who is not known here.
fn is_held(message: &Edited<'_>) -> bool {
    let role = message.get("role").and_then(Edited::text);
    role.is_none_or(|role| !NOT_HELD.contains(&role))
}

fn is_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    if left.is_untouched(came) {
        return true;
    }
    let role = |message: Edited<'_>| {
        message
            .get("role")
            .and_then(Edited::text)
            .map(str::to_owned)
    };
    role(came) == role(left) && content_is_kept(came.get(CONTENT), left.get(CONTENT))
}

fn content_is_kept(came: Option<Edited<'_>>, left: Option<Edited<'_>>) -> bool {
    let (came, left) = (parts(came), parts(left));
    let is_ordinary = |part: &Edited<'_>| !said(*part).is_some_and(is_note);
    if came.iter().any(is_ordinary) {
        let came = came.into_iter().filter(is_ordinary);
        return pairwise(came, left.into_iter().filter(is_ordinary), part_is_kept);
    }
    pairwise(came, left, part_is_kept)
}

/// Returns the parts of a content; one string is one part. Blank texts are none.
fn parts(content: Option<Edited<'_>>) -> Vec<Edited<'_>> {
    let Some(content) = content else {
        return Vec::new();
    };
    let parts = match content.items() {
        Some(parts) => parts.collect(),
        None => vec![content],
    };
    let says = |part: &Edited<'_>| !said(*part).is_some_and(words::is_blank);
    parts.into_iter().filter(says).collect()
}

/// Returns the words of a part that is a text.
fn said(part: Edited<'_>) -> Option<&str> {
    part.text().or_else(|| part.get(TEXT)?.text())
}

fn part_is_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    if left.is_untouched(came) {
        return true;
    }
    match (said(came), said(left)) {
        (Some(was), Some(is)) => {
            let is_aside = |name: &str| SILENT.contains(&name) || [TEXT, TYPE].contains(&name);
            words::are_kept(was, is) && fields_are_kept(came, left, is_aside)
        }
        (None, None) if came.fields().is_some() && left.fields().is_some() => {
            let is_aside = |name: &str| SILENT.contains(&name) || name == CONTENT;
            content_is_kept(came.get(CONTENT), left.get(CONTENT))
                && fields_are_kept(came, left, is_aside)
        }
        (None, None) => left.equals(came),
        _ => false,
    }
}

/// Returns whether all fields but those aside are the same. A string has none.
fn fields_are_kept(came: Edited<'_>, left: Edited<'_>, is_aside: impl Fn(&str) -> bool) -> bool {
    let same_in = |one: Edited<'_>, other: Edited<'_>| {
        let mut fields = one.fields().into_iter().flatten();
        fields.all(|(name, value)| {
            let same = || other.get(name).is_some_and(|other| value.equals(other));
            is_aside(name) || same()
        })
    };
    same_in(came, left) && same_in(left, came)
}

/// Returns whether a text is one tagged element, as agents add them in the user's name:
/// `<system-reminder>…</system-reminder>`.
fn is_note(text: &str) -> bool {
    let text = text.trim();
    let is_of_name = |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '-' | '_');
    let Some(rest) = text.strip_prefix('<') else {
        return false;
    };
    let (name, rest) = rest.split_at(rest.find(|byte| !is_of_name(byte)).unwrap_or(rest.len()));
    let close = format!("</{name}>");
    !name.is_empty()
        && rest.starts_with([' ', '>'])
        && rest
            .find(&close)
            .is_some_and(|at| at + close.len() == rest.len())
}

#[cfg(test)]
mod tests {
    use super::is_note;

    #[test]
    fn a_note_is_one_element_and_nothing_else() {
        for note in [
            "<system-reminder>\nTokens: 1\n</system-reminder>\n",
            "<env os=\"linux\">x</env>",
        ] {
            assert!(is_note(note), "{note}");
        }
        for text in [
            "why?",
            "<b>why?</b> <b>how?</b>",
            "<b>why?</b> how?",
            "<b>why?",
            "<b>",
            "<>why?</>",
            "a < b",
            "<b/>",
            "",
        ] {
            assert!(!is_note(text), "{text}");
        }
    }
}
