//! Ids of tool calls, numbered in order of appearance: a call and its result have one number.

use std::collections::BTreeMap;

/// What begins an id that is made anew for each call. Others, such as the count of a tool's calls
/// that some models are shown, stay.
const MINTED: [&str; 2] = ["toolu_", "call_"];

/// The numbers that were given so far.
#[derive(Default)]
pub(crate) struct ToolIds<'a>(BTreeMap<&'a str, usize>);

impl<'a> ToolIds<'a> {
    /// What stands in an id's place. No id that stays has that form, so different ids stay
    /// different.
    pub(crate) fn canonical(&mut self, id: &'a str) -> Option<String> {
        if !MINTED.iter().any(|prefix| id.starts_with(prefix)) {
            return None;
        }
        let next = self.0.len();
        let number = self.0.entry(id).or_insert(next);
        Some(format!("call_{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_number() {
        let mut ids = ToolIds::default();
        let canonical = ["toolu_9", "call_0", "toolu_9", "call_x"].map(|id| ids.canonical(id));
        assert_eq!(
            canonical.map(|id| id.expect("it is minted")),
            ["call_0", "call_1", "call_0", "call_2"]
        );
        assert_eq!(ids.canonical("functions.read:0"), None);
    }
}
