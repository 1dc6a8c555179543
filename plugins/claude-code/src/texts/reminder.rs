//! The agent's reminders, which stand among the user's texts, each wrapped in a tag of its own.

use memchr::memmem;

use super::{Speaker, Splice, between, is_number, lines_with};
use crate::settings::Rule;

const OPEN: &str = "<system-reminder>\n";
const CLOSE: &str = "\n</system-reminder>";

/// Whether a text begins as a reminder does.
pub(super) fn opens(text: &str) -> bool {
    text.starts_with(OPEN)
}

/// The splices for a text that begins as a reminder.
pub(super) fn splices(text: &str, speaker: Speaker, splices: &mut Vec<Splice>) {
    let whole = 0..text.len();
    if let Some(words) = words(text) {
        if is_usage(words) {
            splices.push(Splice::drop(Rule::DropUsageReminder, whole.clone()));
        }
        if speaker == Speaker::User {
            splices.push(Splice::drop(Rule::MaskReminders, whole));
        }
    }
    session_start(text, splices);
}

/// The words of a text that is one reminder and nothing else. Some of them end their line.
fn words(text: &str) -> Option<&str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    between(text, OPEN, CLOSE).filter(|words| !words.contains("</system-reminder>"))
}

/// Whether a reminder tells what was spent, in one of the three forms.
fn is_usage(words: &str) -> bool {
    is_token_usage(words) || is_budget(words) || is_output_tokens(words)
}

/// `Token usage: 1200/200000; 198800 remaining`
fn is_token_usage(words: &str) -> bool {
    between(words, "Token usage: ", " remaining")
        .and_then(|numbers| numbers.split_once("; "))
        .is_some_and(|(spent, rest)| is_pair(spent, "/") && is_number(rest))
}

/// `USD budget: $0.5/$2; $1.5 remaining`
fn is_budget(words: &str) -> bool {
    between(words, "USD budget: $", " remaining")
        .and_then(|numbers| numbers.split_once("; $"))
        .is_some_and(|(spent, rest)| is_pair(spent, "/$") && is_number(rest))
}

/// `Output tokens — turn: 1.2k / 10k · session: 3.4k`
fn is_output_tokens(words: &str) -> bool {
    words
        .strip_prefix("Output tokens — turn: ")
        .and_then(|numbers| numbers.split_once(" · session: "))
        .is_some_and(|(turn, session)| {
            (is_number(turn) || is_pair(turn, " / ")) && is_number(session)
        })
}

fn is_pair(numbers: &str, separator: &str) -> bool {
    numbers
        .split_once(separator)
        .is_some_and(|(one, other)| is_number(one) && is_number(other))
}

/// What a session's start hooks print: `SessionStart:resume hook success: …`, and in it a session's
/// id and the time of its last use.
fn session_start(text: &str, splices: &mut Vec<Splice>) {
    const EVENT: &str = "resume";
    let rule = Rule::CanonSessionStart;
    let Some(hook) = text[OPEN.len()..].strip_prefix("SessionStart:") else {
        return;
    };
    if hook.starts_with("resume hook success:") {
        let start = text.len() - hook.len();
        splices.push(Splice {
            rule,
            bytes: start..start + EVENT.len(),
            replacement: "startup",
        });
    }
    let (open, close) = ("<session-id>", "</session-id>");
    for start in memmem::find_iter(text.as_bytes(), open).map(|start| start + open.len()) {
        if let Some(length) = text[start..].find(close) {
            splices.push(Splice::drop(rule, start..start + length));
        }
    }
    for line in lines_with(text, "Last active:") {
        splices.push(Splice::drop(rule, line.value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::texts::{self, is_dropped, spliced};

    fn is_out(words: &str) -> bool {
        let text = format!("<system-reminder>\n{words}\n</system-reminder>");
        let splices = texts::splices(&text, Speaker::User, &Settings::default());
        is_dropped(&text, &splices)
    }

    #[test]
    fn what_was_spent_does_not_matter() {
        for words in [
            "Token usage: 1200/200000; 198800 remaining",
            "USD budget: $0.25/$2; $1.75 remaining",
            "Output tokens — turn: 512 · session: 12.3k",
            "Output tokens — turn: 1.2k / 10k · session: 3,400",
        ] {
            assert!(is_out(words), "{words}");
        }
    }

    #[test]
    fn any_other_word_beside_it_does() {
        for words in [
            "Token usage: much/200000; 198800 remaining",
            "Token usage: 1/2; 1 remaining. Be quick.",
            "Token usage: 1/2; 1 remaining\nBe quick.",
            "USD budget: 1/2; 1 remaining",
            "Output tokens - turn: 1 · session: 2",
            "",
        ] {
            assert!(!is_out(words), "{words}");
        }
        let unwrapped = "Token usage: 1/2; 1 remaining";
        assert!(texts::splices(unwrapped, Speaker::User, &Settings::default()).is_empty());
    }

    #[test]
    fn a_resumed_session_counts_as_a_new_one() {
        let reminder = |event, id, active| {
            format!(
                "<system-reminder>\nSessionStart:{event} hook success: resume the plan\n\
                 <session-id>{id}</session-id>\nLast active: {active}\n</system-reminder>"
            )
        };
        let canonical = |text: &str| {
            let splices = texts::splices(text, Speaker::User, &Settings::default());
            spliced(text, &splices)
        };
        let new = canonical(&reminder("startup", "a1", "today"));
        assert_eq!(canonical(&reminder("resume", "b22", "2026-08-16")), new);
        assert!(
            new.contains("success: resume the plan\n<session-id></session-id>\nLast active:\n")
        );
        assert_ne!(canonical(&reminder("clear", "a1", "today")), new);
    }
}
