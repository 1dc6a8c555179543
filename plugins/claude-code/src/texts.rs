//! What in a text does not matter. Only the forms that the agent itself writes are known here, and
//! each only where the agent puts it.

mod masks;
mod reminder;

use std::ops::Range;

use deja_plugin::rules;
use memchr::memmem;

use crate::settings::{Rule, Settings};

/// Who says a text, as far as the rules tell them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// The agent, to set the rules.
    System,
    /// The user, or the agent in the user's name.
    User,
    /// The model or a tool: no rule touches their words.
    Other,
}

/// A piece of a text, and what stands there instead.
pub(crate) type Splice = rules::Splice<Rule>;

/// The splices for a text, in order; none overlaps another.
pub(crate) fn splices(text: &str, speaker: Speaker, settings: &Settings) -> Vec<Splice> {
    let is_reminder = reminder::opens(text);
    let mut splices = Vec::new();
    match speaker {
        Speaker::Other => return splices,
        Speaker::User if !is_reminder => return splices,
        Speaker::User => {}
        Speaker::System => billing_headers(text, &mut splices),
    }
    if is_reminder {
        reminder::splices(text, speaker, &mut splices);
    }
    masks::splices(text, settings, &mut splices);
    Splice::chosen(splices, text, settings)
}

/// Whether a text is nothing but what does not matter.
pub(crate) fn is_dropped(text: &str, splices: &[Splice]) -> bool {
    let [splice] = splices else { return false };
    splice.bytes == (0..text.len()) && splice.replacement.is_empty() && !text.is_empty()
}

/// The text with its splices made.
pub(crate) fn spliced(text: &str, splices: &[Splice]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = 0;
    for splice in splices {
        result.push_str(&text[rest..splice.bytes.start]);
        result.push_str(splice.replacement);
        rest = splice.bytes.end;
    }
    result.push_str(&text[rest..]);
    result
}

/// Whether a system message says only how many tokens are left.
pub(crate) fn is_total_tokens(text: &str) -> bool {
    between(text, "<total_tokens>", " tokens left</total_tokens>").is_some_and(is_number)
}

/// Lines such as `x-anthropic-billing-header: cc_version=2.1.330.aad; cch=36ee5;`.
fn billing_headers(text: &str, splices: &mut Vec<Splice>) {
    for line in lines_with(text, "x-anthropic-billing-header: ") {
        let mut fields = text[line.value].split(' ');
        let is_field = |field: &str| {
            let assignment = field.strip_suffix(';').and_then(|it| it.split_once('='));
            assignment.is_some_and(|(name, value)| !name.is_empty() && !value.contains(';'))
        };
        if fields.all(is_field) {
            splices.push(Splice::drop(Rule::DropBillingHeader, line.whole));
        }
    }
}

/// A line that begins with a label.
struct Line {
    /// All of it, its end included.
    whole: Range<usize>,
    /// What stands behind the label, the line's end excluded.
    value: Range<usize>,
}

/// The lines of a text that begin with a label.
fn lines_with(text: &str, label: &str) -> impl Iterator<Item = Line> {
    let starts = memmem::find_iter(text.as_bytes(), label);
    let starts = starts.filter(|start| *start == 0 || text.as_bytes()[start - 1] == b'\n');
    starts.map(|start| {
        let end = text[start..].find('\n').map(|length| start + length);
        let value = start + label.len()..end.unwrap_or(text.len());
        Line {
            whole: start..end.map_or(text.len(), |end| end + 1),
            value,
        }
    })
}

/// What stands between a beginning and an end.
fn between<'a>(text: &'a str, beginning: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(beginning)?.strip_suffix(end)
}

/// Whether a text is a number as the agent writes it: `1234`, `0.5`, `12.3k`.
fn is_number(text: &str) -> bool {
    let digits = text.strip_suffix(['k', 'm', 'b']).unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}
