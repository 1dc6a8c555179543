//! Edits by rules, each of which the settings can switch on or off.

use std::cmp::Reverse;
use std::fmt::Arguments;
use std::ops::Range;

use crate::keyer::{Assignment, Change, Edit};

/// The rules of a keyer, as its settings have them.
pub trait Rules {
    /// One rule.
    type Rule: Copy;

    /// Returns whether a rule applies.
    fn apply(&self, rule: Self::Rule) -> bool;

    /// Returns the name of a rule, as `deja explain` shows it.
    fn name(rule: Self::Rule) -> &'static str;
}

/// The edits that are asked for so far, of rules that apply. Places are passed as [`Arguments`], so
/// that a pointer is only written where there is an edit.
#[derive(Debug)]
pub struct Edits<'s, S> {
    /// Says which rules apply.
    pub settings: &'s S,
    list: Vec<Edit>,
}

impl<'s, S: Rules> Edits<'s, S> {
    /// Returns no edits.
    #[must_use]
    pub fn new(settings: &'s S) -> Self {
        let list = Vec::new();
        Self { settings, list }
    }

    /// Returns the edits as the host takes them.
    #[must_use]
    pub fn into_list(self) -> Vec<Edit> {
        self.list
    }

    /// Takes a value out, if the rule applies.
    pub fn remove(&mut self, rule: S::Rule, place: Arguments<'_>) {
        self.push(rule, || Change::Remove(place.to_string()));
    }

    /// Puts JSON in a value's place, if the rule applies.
    pub fn replace(&mut self, rule: S::Rule, place: Arguments<'_>, json: String) {
        self.push(rule, || {
            let pointer = place.to_string();
            Change::Replace(Assignment { pointer, json })
        });
    }

    /// Changes a string, whether or not the splices' rules apply: see [`Splice::chosen`].
    pub fn splice(&mut self, splices: Vec<Splice<S::Rule>>, place: Arguments<'_>) {
        if splices.is_empty() {
            return;
        }
        let pointer = place.to_string();
        let edit = |splice: Splice<S::Rule>| {
            let rule = S::name(splice.rule);
            Edit::splice(rule, &pointer, splice.bytes, splice.replacement)
        };
        self.list.extend(splices.into_iter().map(edit));
    }

    fn push(&mut self, rule: S::Rule, change: impl FnOnce() -> Change) {
        if self.settings.apply(rule) {
            self.list.push(Edit {
                rule: S::name(rule).to_owned(),
                change: change(),
            });
        }
    }
}

/// A piece of a text, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice<R> {
    /// The rule that asks for it.
    pub rule: R,
    /// Where the piece stands.
    pub bytes: Range<usize>,
    /// What stands there instead.
    pub replacement: &'static str,
}

impl<R: Copy> Splice<R> {
    /// Takes a piece out.
    #[must_use]
    pub fn drop(rule: R, bytes: Range<usize>) -> Self {
        let replacement = "";
        Self {
            rule,
            bytes,
            replacement,
        }
    }

    /// Returns those of a text's splices whose rules apply and that change it, in order. Where two
    /// overlap, the one that begins first stays, and of those the longest.
    #[must_use]
    pub fn chosen(
        mut splices: Vec<Self>,
        text: &str,
        settings: &impl Rules<Rule = R>,
    ) -> Vec<Self> {
        splices.retain(|it| settings.apply(it.rule) && text[it.bytes.clone()] != *it.replacement);
        splices.sort_by_key(|splice| (splice.bytes.start, Reverse(splice.bytes.end)));
        let mut end = 0;
        splices.retain(|splice| {
            let is_free = splice.bytes.start >= end;
            if is_free {
                end = splice.bytes.end;
            }
            is_free
        });
        splices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules by their names, of which these apply.
    struct On(&'static [&'static str]);

    impl Rules for On {
        type Rule = &'static str;

        fn apply(&self, rule: Self::Rule) -> bool {
            self.0.contains(&rule)
        }

        fn name(rule: Self::Rule) -> &'static str {
            rule
        }
    }

    #[test]
    fn only_rules_that_apply_make_edits() {
        let mut edits = Edits::new(&On(&["a"]));
        for rule in ["a", "b"] {
            edits.remove(rule, format_args!("/{rule}"));
            edits.replace(rule, format_args!("/{rule}/0"), "1".to_owned());
        }
        let expected = [Edit::remove("a", "/a"), Edit::replace("a", "/a/0", "1")];
        assert_eq!(edits.into_list(), expected);
    }

    #[test]
    fn of_splices_that_overlap_the_first_stays() {
        let splices = vec![
            Splice::drop("a", 3..5),
            Splice::drop("a", 0..2),
            Splice::drop("a", 0..4),
            Splice::drop("b", 5..6),
            Splice::drop("a", 6..6),
        ];
        let chosen = Splice::chosen(splices, "0123456", &On(&["a"]));
        assert_eq!(chosen, [Splice::drop("a", 0..4)]);
    }
}
