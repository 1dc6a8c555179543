//! The edits for one text. Its white space, its words and what patterns find in it are apart from
//! one another, so no edit overlaps another.

use std::collections::BTreeSet;
use std::ops::Range;

use deja_plugin::keyer::Edit;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::settings::Settings;

/// A word counts as in Unicode's normal form C (UAX #15).
pub(crate) const NFC: &str = "nfc";

/// A text with more changes than this is written anew, whole, which is shorter and faster.
const MOST_SPLICES: usize = 16;

/// A piece of a text, and what stands there instead.
struct Splice<'s> {
    rule: &'s str,
    bytes: Range<usize>,
    replacement: String,
}

/// The edits for the text at a pointer.
pub(crate) fn edits(pointer: &str, text: &str, settings: &Settings) -> Vec<Edit> {
    let splices = splices(text, settings);
    if splices.len() > MOST_SPLICES {
        return vec![rewrite(pointer, text, &splices)];
    }
    let edit =
        |splice: Splice<'_>| Edit::splice(splice.rule, pointer, splice.bytes, &splice.replacement);
    splices.into_iter().map(edit).collect()
}

/// One edit for the whole text, in the name of every rule that has a part in it.
fn rewrite(pointer: &str, text: &str, splices: &[Splice<'_>]) -> Edit {
    let rules: BTreeSet<_> = splices.iter().map(|splice| splice.rule).collect();
    let rule = Vec::from_iter(rules).join("+");
    let mut rewritten = String::with_capacity(text.len());
    let mut done = 0;
    for splice in splices {
        rewritten.push_str(&text[done..splice.bytes.start]);
        rewritten.push_str(&splice.replacement);
        done = splice.bytes.end;
    }
    rewritten.push_str(&text[done..]);
    Edit::splice(&rule, pointer, 0..text.len(), &rewritten)
}

/// What changes in a text, in order.
fn splices<'s>(text: &str, settings: &'s Settings) -> Vec<Splice<'s>> {
    let mut splices = Vec::new();
    let mut done = 0;
    for found in found(text, settings) {
        tidy(text, done..found.bytes.start, settings, &mut splices);
        done = found.bytes.end;
        splices.push(found);
    }
    tidy(text, done..text.len(), settings, &mut splices);
    splices.retain(|splice| splice.replacement != text[splice.bytes.clone()]);
    splices
}

/// What the patterns find in a text, in order. Where two find the same, the first of them has it.
fn found<'s>(text: &str, settings: &'s Settings) -> Vec<Splice<'s>> {
    let mut found = Vec::new();
    for pattern in &settings.replacements {
        let mut fresh = Vec::new();
        for captures in pattern.regex.captures_iter(text) {
            let bytes = captures.get(0).expect("it is the whole match").range();
            if is_free(&bytes, &found) {
                let mut replacement = String::new();
                captures.expand(&pattern.with, &mut replacement);
                fresh.push(Splice {
                    rule: &pattern.name,
                    bytes,
                    replacement,
                });
            }
        }
        found.append(&mut fresh);
        found.sort_by_key(|splice| splice.bytes.start);
    }
    found
}

/// Whether a piece touches none of those that were found, which are in order.
fn is_free(bytes: &Range<usize>, found: &[Splice<'_>]) -> bool {
    let next = found.partition_point(|other| other.bytes.end < bytes.start);
    found
        .get(next)
        .is_none_or(|other| bytes.end < other.bytes.start)
}

/// Changes words and white space between two places of a text. Neither changes how the other is
/// normalised: no white space composes with what stands beside it.
fn tidy(text: &str, between: Range<usize>, settings: &Settings, splices: &mut Vec<Splice<'_>>) {
    let mut start = between.start;
    while start < between.end {
        let rest = &text[start..between.end];
        let is_space = rest.starts_with(char::is_whitespace);
        let length = rest.find(|c: char| c.is_whitespace() != is_space);
        let run = start..start + length.unwrap_or(rest.len());
        start = run.end;
        let canonical = if is_space {
            settings.space.canonical(text, run.clone())
        } else {
            word(&text[run.clone()], settings)
        };
        splices.extend(canonical.map(|(rule, replacement)| Splice {
            rule,
            bytes: run,
            replacement,
        }));
    }
}

fn word(word: &str, settings: &Settings) -> Option<(&'static str, String)> {
    let is_canonical = !settings.nfc || word.is_ascii() || is_nfc(word);
    (!is_canonical).then(|| (NFC, word.nfc().collect()))
}

#[cfg(test)]
mod tests;
