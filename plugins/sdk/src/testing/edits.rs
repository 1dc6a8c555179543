//! What is left of a body in the key.

use std::cmp::Ordering;

use serde_json::Value;

use crate::keyer::{Change, Edit};
use crate::pointer::unescape;

/// A body with a keyer's edits made, as the host makes them.
///
/// # Panics
/// Where the host would leave the cache out: an edit that points nowhere, cuts a character,
/// overlaps with another, or touches the model.
#[must_use]
pub fn canonical(body: &Value, edits: &[Edit]) -> Value {
    let mut placed: Vec<_> = edits.iter().map(Placed::new).collect();
    placed.sort_by(|one, other| one.place.cmp(&other.place));
    for pair in placed.windows(2) {
        assert!(
            !pair[0].overlaps(&pair[1]),
            "{:?} overlaps with {:?}",
            pair[0].edit,
            pair[1].edit
        );
    }
    // From the last to the first: no edit moves what another one points at.
    let mut body = body.clone();
    for placed in placed.iter().rev() {
        make(&mut body, &placed.edit.change);
    }
    body
}

/// An edit in the order of places: parents before children, items by number, splices by offset.
struct Placed<'a> {
    edit: &'a Edit,
    place: (Vec<Step>, (u32, u32)),
}

/// One step of a pointer.
#[derive(Debug, PartialEq, Eq)]
struct Step(String);

impl Ord for Step {
    /// Numbers come before names.
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |step: &Self| step.0.parse().unwrap_or(u64::MAX);
        let by_number = number(self).cmp(&number(other));
        by_number.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Placed<'a> {
    fn new(edit: &'a Edit) -> Self {
        let (pointer, bytes) = match &edit.change {
            Change::Remove(pointer) => (pointer, (0, 0)),
            Change::Replace(assignment) => (&assignment.pointer, (0, 0)),
            Change::Rewrite(splice) => (&splice.pointer, (splice.start, splice.end)),
        };
        let steps = pointer.split('/').skip(1).map(unescape).map(Step);
        let steps: Vec<_> = steps.collect();
        let is_allowed = steps.first().is_some_and(|Step(field)| field != "model");
        assert!(is_allowed, "{edit:?}: this cannot be edited");
        let place = (steps, bytes);
        Self { edit, place }
    }

    /// Whether `next`, which does not come before this one, changes what this one changes.
    fn overlaps(&self, next: &Self) -> bool {
        let (steps, (_, end)) = &self.place;
        let (next_steps, (next_start, _)) = &next.place;
        match (&self.edit.change, &next.edit.change) {
            (Change::Rewrite(_), Change::Rewrite(_)) => steps == next_steps && next_start < end,
            _ => next_steps.starts_with(steps),
        }
    }
}

fn make(body: &mut Value, change: &Change) {
    match change {
        Change::Remove(pointer) => remove(body, pointer),
        Change::Replace(assignment) => {
            let value = at(body, &assignment.pointer);
            *value = serde_json::from_str(&assignment.json).expect("the replacement is JSON");
        }
        Change::Rewrite(splice) => {
            let Value::String(text) = at(body, &splice.pointer) else {
                panic!("what stands at {} is not a string", splice.pointer);
            };
            let bytes = splice.start as usize..splice.end as usize;
            text.replace_range(bytes, &splice.replacement);
        }
    }
}

fn remove(body: &mut Value, pointer: &str) {
    // Finds fault with a pointer to nothing.
    at(body, pointer);
    let (parent, name) = pointer.rsplit_once('/').expect("it is a pointer");
    match at(body, parent) {
        Value::Object(fields) => drop(fields.remove(&unescape(name))),
        Value::Array(items) => drop(items.remove(name.parse().expect("it was found"))),
        _ => unreachable!("only these two hold values"),
    }
}

fn at<'a>(body: &'a mut Value, pointer: &str) -> &'a mut Value {
    body.pointer_mut(pointer)
        .unwrap_or_else(|| panic!("nothing stands at {pointer}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edits_are_made_as_of_the_body_that_the_keyer_saw() {
        let body =
            json!({"model": "m", "a/b": 1, "list": (0..12).collect::<Vec<_>>(), "t": "abcd"});
        let edits = [
            Edit::remove("r", "/list/2"),
            Edit::splice("r", "/t", 0..1, "xyz"),
            Edit::replace("r", "/list/10", "[]"),
            Edit::remove("r", "/a~1b"),
            Edit::splice("r", "/t", 3..4, ""),
        ];
        assert_eq!(
            canonical(&body, &edits),
            json!({"model": "m", "list": [0, 1, 3, 4, 5, 6, 7, 8, 9, [], 11], "t": "xyzbc"})
        );
    }

    #[test]
    fn fields_that_look_like_numbers_are_edited_as_well() {
        let edits = ["/2", "/10", "/1x"].map(|place| Edit::remove("r", place));
        let body = json!({"2": 1, "10": {"a": 1}, "1x": 1, "y": 1});
        assert_eq!(canonical(&body, &edits), json!({"y": 1}));
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn an_edit_within_another_is_found_fault_with() {
        let edits = [Edit::remove("r", "/a/b"), Edit::remove("r", "/a")];
        let _ = canonical(&json!({"a": {"b": 1}}), &edits);
    }

    #[test]
    #[should_panic(expected = "cannot be edited")]
    fn the_model_stays() {
        let _ = canonical(&json!({"model": 1}), &[Edit::remove("r", "/model")]);
    }

    #[test]
    #[should_panic(expected = "nothing stands at /a")]
    fn an_edit_of_nothing_is_found_fault_with() {
        let _ = canonical(&json!({}), &[Edit::remove("r", "/a")]);
    }
}
