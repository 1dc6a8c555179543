//! The edits that are asked for so far.

use std::fmt::Arguments;

use deja_plugin::keyer::{Assignment, Change, Edit};

use crate::settings::{Rule, Settings};
use crate::texts::Splice;

/// Edits of rules that apply. Places are passed as [`Arguments`], so that a pointer is only written
/// where there is an edit.
pub(crate) struct Edits<'s> {
    pub(crate) settings: &'s Settings,
    list: Vec<Edit>,
}

impl<'s> Edits<'s> {
    pub(crate) fn new(settings: &'s Settings) -> Self {
        let list = Vec::new();
        Self { settings, list }
    }

    pub(crate) fn into_list(self) -> Vec<Edit> {
        self.list
    }

    /// Takes a value out, if the rule applies.
    pub(crate) fn remove(&mut self, rule: Rule, place: Arguments<'_>) {
        self.push(rule, || Change::Remove(place.to_string()));
    }

    /// Puts JSON in a value's place, if the rule applies.
    pub(crate) fn replace(&mut self, rule: Rule, place: Arguments<'_>, json: String) {
        self.push(rule, || {
            let pointer = place.to_string();
            Change::Replace(Assignment { pointer, json })
        });
    }

    /// Changes a string. The rules of splices are asked before these are made.
    pub(crate) fn splice(&mut self, splices: Vec<Splice>, place: Arguments<'_>) {
        if splices.is_empty() {
            return;
        }
        let pointer = place.to_string();
        let edit = |splice: Splice| {
            let rule = splice.rule.name();
            Edit::splice(rule, &pointer, splice.bytes, splice.replacement)
        };
        self.list.extend(splices.into_iter().map(edit));
    }

    fn push(&mut self, rule: Rule, change: impl FnOnce() -> Change) {
        if self.settings.apply(rule) {
            self.list.push(Edit {
                rule: rule.name().to_owned(),
                change: change(),
            });
        }
    }
}
