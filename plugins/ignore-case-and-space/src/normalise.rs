//! The edits that make texts alike that differ in case and space only.

use std::ops::Range;

use deja_plugin::keyer::Edit;

/// What a run of characters is to the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Upper case: made lower by the rule `case`.
    Upper,
    /// White space: made one space, or none at either end, by the rule `space`.
    Space,
    /// Neither: stays.
    Other,
}

impl Class {
    fn of(character: char) -> Self {
        if character.is_whitespace() {
            Self::Space
        } else if character.is_uppercase() {
            Self::Upper
        } else {
            Self::Other
        }
    }
}

/// The edits for the text at a pointer. Each is for a run of its own, so none overlaps another.
pub(crate) fn edits(pointer: &str, content: &str) -> Vec<Edit> {
    let edit = |(class, run): (Class, Range<usize>)| {
        let (rule, replacement) = match class {
            Class::Other => return None,
            Class::Upper => ("case", content[run.clone()].to_lowercase()),
            Class::Space if run.start == 0 || run.end == content.len() => ("space", String::new()),
            Class::Space => ("space", " ".to_owned()),
        };
        let changes = replacement != content[run.clone()];
        changes.then(|| Edit::splice(rule, pointer, run, &replacement))
    };
    runs(content).into_iter().filter_map(edit).collect()
}

/// The text, cut where the class changes.
fn runs(content: &str) -> Vec<(Class, Range<usize>)> {
    let mut runs: Vec<(Class, Range<usize>)> = Vec::new();
    for (start, character) in content.char_indices() {
        let class = Class::of(character);
        let end = start + character.len_utf8();
        match runs.last_mut() {
            Some((last, run)) if *last == class => run.end = end,
            _ => runs.push((class, start..end)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use deja_plugin::keyer::Change;

    use super::*;

    /// The text with its edits made, and the rules that made them.
    fn normalised(content: &str) -> (String, Vec<String>) {
        let mut text = content.to_owned();
        let mut rules = Vec::new();
        for edit in edits("/messages/0/content", content).into_iter().rev() {
            let Change::Rewrite(splice) = edit.change else {
                panic!("not a rewrite")
            };
            text.replace_range(
                splice.start as usize..splice.end as usize,
                &splice.replacement,
            );
            rules.insert(0, edit.rule);
        }
        (text, rules)
    }

    #[test]
    fn questions_that_differ_in_case_and_space_become_one() {
        let (plain, _) = normalised("what is the capital of france?");
        let (shouted, rules) = normalised("  What is the \n capital  of\tFrance? ");
        assert_eq!(shouted, plain);
        assert_eq!(
            rules,
            ["space", "case", "space", "space", "space", "case", "space"]
        );
    }

    #[test]
    fn a_normal_text_needs_no_edit() {
        assert_eq!(
            normalised("a b, ü 東京"),
            ("a b, ü 東京".to_owned(), Vec::new())
        );
    }

    #[test]
    fn offsets_are_bytes_on_the_boundaries_of_characters() {
        let (text, _) = normalised("東京\u{3000}ÄÖ İ");
        assert_eq!(text, "東京 äö i\u{307}");
    }

    #[test]
    fn nothing_but_space_becomes_nothing() {
        assert_eq!(normalised(" \n ").0, "");
        assert_eq!(normalised("").0, "");
    }
}
