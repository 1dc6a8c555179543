//! What stands for white space.

use std::ops::Range;

use serde::Deserialize;

/// Several blanks in a row count as one space.
pub(crate) const SPACE_RUNS: &str = "space-runs";
/// Space at a line's end, or a text's, does not count.
pub(crate) const TRAILING_SPACE: &str = "trailing-space";
/// Space at a text's beginning does not count.
pub(crate) const LEADING_SPACE: &str = "leading-space";

/// How much of the white space does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Space {
    /// None of it: all stays.
    Keep,
    /// How much there is inside a line and at its end. Line breaks and indentation stay: in code
    /// they have a meaning.
    #[default]
    Lines,
    /// How much there is anywhere, and of which kind: line breaks are space like any other.
    All,
}

impl Space {
    /// What stands for a run of white space in a text, and by which rule. It may be what stands
    /// there.
    pub(crate) fn canonical(self, text: &str, run: Range<usize>) -> Option<(&'static str, String)> {
        let is_last = run.end == text.len();
        let is_first = run.start == 0;
        let blanks = &text[run];
        match self {
            Self::Keep => None,
            Self::Lines | Self::All if is_last => Some((TRAILING_SPACE, String::new())),
            Self::Lines if blanks.contains('\n') => Some((TRAILING_SPACE, line_breaks(blanks))),
            Self::Lines if is_first => None,
            Self::All if is_first => Some((LEADING_SPACE, String::new())),
            Self::Lines | Self::All => Some((SPACE_RUNS, " ".to_owned())),
        }
    }
}

/// The line breaks of a run, without blanks before them, and the next line's indentation. A
/// carriage return is such a blank.
fn line_breaks(blanks: &str) -> String {
    let breaks = blanks.matches('\n').count();
    let indentation = blanks.rsplit('\n').next().unwrap_or_default();
    "\n".repeat(breaks) + indentation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(space: Space, before: &str, blanks: &str, after: &str) -> Option<String> {
        let text = format!("{before}{blanks}{after}");
        let run = before.len()..before.len() + blanks.len();
        space.canonical(&text, run).map(|(_, canonical)| canonical)
    }

    #[test]
    fn inside_a_line_blanks_are_one_space() {
        for blanks in [" ", "   ", "\t", "\u{3000}", " \u{a0} "] {
            for space in [Space::Lines, Space::All] {
                assert_eq!(canonical(space, "a", blanks, "b").as_deref(), Some(" "));
            }
            assert_eq!(canonical(Space::Keep, "a", blanks, "b"), None);
        }
    }

    #[test]
    fn lines_and_indentation_stay_unless_told_otherwise() {
        for (blanks, lines) in [
            (" \n", "\n"),
            ("\r\n", "\n"),
            ("\t\n \n    ", "\n\n    "),
            ("\n\n\t", "\n\n\t"),
        ] {
            assert_eq!(
                canonical(Space::Lines, "a", blanks, "b").as_deref(),
                Some(lines)
            );
            assert_eq!(
                canonical(Space::All, "a", blanks, "b").as_deref(),
                Some(" ")
            );
        }
    }

    #[test]
    fn a_texts_ends_have_none() {
        assert_eq!(canonical(Space::Lines, "", "  ", "b"), None);
        assert_eq!(canonical(Space::All, "", "  ", "b").as_deref(), Some(""));
        for space in [Space::Lines, Space::All] {
            assert_eq!(canonical(space, "a", " \n ", "").as_deref(), Some(""));
            assert_eq!(canonical(space, "", " \n ", "").as_deref(), Some(""));
        }
    }
}
