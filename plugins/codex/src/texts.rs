//! What in a text does not matter. Only the forms that Codex itself writes are known here, and each
//! only where Codex puts it.

use std::ops::Range;

use deja_plugin::rules;

use crate::settings::{Rule, Settings};

/// A piece of a text, and what stands there instead.
pub(crate) type Splice = rules::Splice<Rule>;

/// Who says a text, as far as the rules tell them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// Codex, to set the rules.
    Developer,
    /// The user, or Codex in the user's name.
    User,
    /// A tool.
    Tool,
}

/// What the first line of a project's own rules begins with; the directory follows.
const PROJECT_RULES: &str = "# AGENTS.md instructions for ";

/// Lines that Codex puts before what a command printed, by their beginnings.
const OUTPUT_LINES: [&str; 8] = [
    "Chunk ID: ",
    "Exit code: ",
    "Original token count: ",
    "Process exited with code ",
    "Process running with session ID ",
    "Script ",
    "Total output lines: ",
    "Wall time",
];

/// Returns the splices for a text, in order; none overlaps another.
pub(crate) fn splices(
    text: &str,
    speaker: Speaker,
    directories: &[&str],
    settings: &Settings,
) -> Vec<Splice> {
    let mut splices = Vec::new();
    match speaker {
        Speaker::Developer => {
            skill_roots(text, &mut splices);
            named(text, directories, &mut splices);
        }
        Speaker::User if is_environment(text) => {
            for name in ["current_date", "timezone"] {
                let values = elements(text, name);
                splices.extend(values.map(|value| Splice::drop(Rule::MaskDate, value)));
            }
            named(text, directories, &mut splices);
        }
        Speaker::User if text.starts_with(PROJECT_RULES) => {
            let heading = text.lines().next().unwrap_or_default();
            named(heading, directories, &mut splices);
        }
        Speaker::User => {}
        Speaker::Tool => output(text, &mut splices),
    }
    let mut splices = Splice::chosen(splices, text, settings);
    if speaker == Speaker::User && !keeps_half(text, &splices) {
        splices.retain(|splice| splice.rule != Rule::MaskCwd);
    }
    splices
}

/// Returns whether half of the words of a text stay, as the floor asks of a user's. It counts too
/// many words in what goes, and too few in the whole, rather than the other way round.
fn keeps_half(text: &str, splices: &[Splice]) -> bool {
    let gone = splices.iter().map(|splice| {
        let piece = &text[splice.bytes.clone()];
        words(piece, char::is_alphanumeric)
    });
    let all = words(text, |it| it.is_alphanumeric() || "_.:'".contains(it));
    gone.sum::<usize>() * 2 <= all
}

/// Returns how many words of these letters a text has.
fn words(text: &str, is_letter: impl Fn(char) -> bool) -> usize {
    let words = text.split(|it| !is_letter(it));
    words.filter(|word| !word.is_empty()).count()
}

/// Returns the working directories that a text of the user's names, if Codex describes the
/// environment there.
pub(crate) fn directories(text: &str) -> impl Iterator<Item = &str> {
    let values = is_environment(text).then(|| elements(text, "cwd"));
    let values = values.into_iter().flatten().map(|value| &text[value]);
    values.filter(|directory| !directory.is_empty())
}

fn is_environment(text: &str) -> bool {
    text.starts_with("<environment_context>") && text.trim_end().ends_with("</environment_context>")
}

/// Returns where the values of the elements of this name stand.
fn elements(text: &str, name: &str) -> impl Iterator<Item = Range<usize>> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + text[end..].find(&open)? + open.len();
        end = start + text[start..].find(&close)?;
        Some(start..end)
    })
}

/// Finds where a text names one of these directories, or what is in it.
fn named(text: &str, directories: &[&str], splices: &mut Vec<Splice>) {
    let is_of_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    for directory in directories {
        for (start, _) in text.match_indices(directory) {
            let end = start + directory.len();
            let is_inside = text[..start].ends_with(|it| it == '/' || is_of_name(it))
                || text[end..].starts_with(is_of_name);
            if !is_inside {
                splices.push(Splice::drop(Rule::MaskCwd, start..end));
            }
        }
    }
}

/// Finds the paths in lines such as ``- `r0` = `/home/ada/.codex/skills` ``.
fn skill_roots(text: &str, splices: &mut Vec<Splice>) {
    if !text.starts_with("<skills_instructions>") {
        return;
    }
    for (start, line) in lines(text) {
        let root = line
            .strip_prefix("- `r")
            .and_then(|it| it.strip_suffix('`'));
        if let Some((_, path)) = root.and_then(|it| it.split_once("` = `")) {
            let end = start + line.len() - 1;
            splices.push(Splice::drop(Rule::MaskPaths, end - path.len()..end));
        }
    }
}

/// Finds the id and the time in the lines before what a command printed. Where another line
/// stands among them, the tool is not one of Codex's.
fn output(text: &str, splices: &mut Vec<Splice>) {
    let Some(end) = text.find("\nOutput:\n") else {
        return;
    };
    let is_known = |line: &str| OUTPUT_LINES.iter().any(|known| line.starts_with(known));
    if !text[..end].split('\n').all(is_known) {
        return;
    }
    for (start, line) in lines(&text[..end]) {
        if let Some((rule, value)) = varying(line) {
            splices.push(Splice::drop(rule, start + value.start..start + value.end));
        }
    }
}

/// Returns what differs each time in a line before an output.
fn varying(line: &str) -> Option<(Rule, Range<usize>)> {
    const CHUNK_ID: &str = "Chunk ID: ";
    if line.starts_with(CHUNK_ID) {
        return Some((Rule::DropChunkId, CHUNK_ID.len()..line.len()));
    }
    let end = line.strip_suffix(" seconds")?.len();
    let labels = ["Wall time: ", "Wall time "];
    let start = labels.iter().find(|it| line.starts_with(**it))?.len();
    (start <= end).then_some((Rule::DropWallTime, start..end))
}

/// Returns the lines of a text, and where each begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split('\n').map(move |line| {
        let start = next;
        next += line.len() + 1;
        (start, line)
    })
}
