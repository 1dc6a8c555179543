//! Ids that are made anew in each session, numbered in order of appearance: one that stands in
//! several places, such as that of a call and its result, has one number.

use std::collections::BTreeMap;

/// What begins an id that is made anew for each tool call. Others, such as the count of a tool's
/// calls that some models are shown, stay.
pub const CALLS: [&str; 2] = ["call_", "toolu_"];

/// The numbers that were given so far.
#[derive(Clone, Debug)]
pub struct Ids<'a> {
    prefixes: &'static [&'static str],
    numbers: BTreeMap<&'a str, usize>,
}

impl<'a> Ids<'a> {
    /// Returns one that numbers the ids that begin with one of these prefixes. The empty prefix
    /// stands for all ids.
    #[must_use]
    pub fn new(prefixes: &'static [&'static str]) -> Self {
        let numbers = BTreeMap::new();
        Self { prefixes, numbers }
    }

    /// Returns what stands in an id's place, if it does not stay: the first of the prefixes and a
    /// number. No id that stays has that form, so different ids stay different.
    pub fn canonical(&mut self, id: &'a str) -> Option<String> {
        if !self.prefixes.iter().any(|prefix| id.starts_with(prefix)) {
            return None;
        }
        let next = self.numbers.len();
        let number = self.numbers.entry(id).or_insert(next);
        Some(format!("{}{number}", self.prefixes[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_number() {
        let mut ids = Ids::new(&CALLS);
        let canonical = ["toolu_9", "call_0", "toolu_9", "call_x"].map(|id| ids.canonical(id));
        assert_eq!(
            canonical.map(|id| id.expect("it is minted")),
            ["call_0", "call_1", "call_0", "call_2"]
        );
        assert_eq!(ids.canonical("functions.read:0"), None);
        assert_eq!(Ids::new(&[""]).canonical("msg_9").as_deref(), Some("0"));
    }
}
