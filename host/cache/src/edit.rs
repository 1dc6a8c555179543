//! Applies a keyer's edits to a copy of the body, of which the key is made.
//!
//! All pointers and offsets refer to the body as the keyer saw it, so edits are made from the last
//! to the first: what is done at one place never moves a place still to come.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{Change, Edit};

/// The field that no keyer may touch: answers of different models never meet.
const MODEL: &str = "model";

/// An edit that cannot be made as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {problem}")]
pub struct EditError {
    /// The rule that asked for it.
    pub rule: String,
    /// What is wrong with it.
    pub problem: EditProblem,
}

/// What is wrong with an edit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditProblem {
    /// The pointer is not in RFC 6901's form.
    #[error("`{0}` is no JSON pointer")]
    BadPointer(String),
    /// Nothing stands there.
    #[error("nothing stands at `{0}`")]
    Nowhere(String),
    /// The model is part of every key.
    #[error("the model and the whole body cannot be edited")]
    Forbidden,
    /// The replacement is not JSON.
    #[error("the replacement at `{0}` is not JSON")]
    BadJson(String),
    /// A rewrite of something else than a string.
    #[error("what stands at `{0}` is not a string")]
    NotAString(String),
    /// A rewrite outside the string, or inside a character.
    #[error("bytes {start}..{end} of `{pointer}` are not whole characters of it")]
    BadRange {
        /// Where the string stands.
        pointer: String,
        /// First byte.
        start: u32,
        /// Byte after the last.
        end: u32,
    },
    /// Two edits change the same thing.
    #[error("the edit of `{0}` overlaps with another")]
    Overlap(String),
}

/// The body with all edits made.
///
/// # Errors
/// Names the first edit that cannot be made; then none is.
pub(crate) fn apply(body: &Value, edits: &[Edit]) -> Result<Value, EditError> {
    let mut placed = edits
        .iter()
        .map(Placed::new)
        .collect::<Result<Vec<_>, _>>()?;
    placed.sort_by(Placed::order);
    for pair in placed.windows(2) {
        if pair[0].overlaps(&pair[1]) {
            let pointer = pair[1].pointer().to_owned();
            return Err(pair[1].error(EditProblem::Overlap(pointer)));
        }
    }
    let mut edited = body.clone();
    for edit in placed.iter().rev() {
        edit.apply(&mut edited)
            .map_err(|problem| edit.error(problem))?;
    }
    Ok(edited)
}

/// An edit with its pointer taken apart.
struct Placed<'a> {
    edit: &'a Edit,
    path: Vec<String>,
}

impl<'a> Placed<'a> {
    fn new(edit: &'a Edit) -> Result<Self, EditError> {
        let pointer = pointer_of(&edit.change);
        let fail = |problem| EditError {
            rule: edit.rule.clone(),
            problem,
        };
        let path =
            path(pointer).ok_or_else(|| fail(EditProblem::BadPointer(pointer.to_owned())))?;
        match path.first() {
            None => Err(fail(EditProblem::Forbidden)),
            Some(field) if field == MODEL => Err(fail(EditProblem::Forbidden)),
            Some(_) => Ok(Self { edit, path }),
        }
    }

    fn pointer(&self) -> &'a str {
        pointer_of(&self.edit.change)
    }

    fn error(&self, problem: EditProblem) -> EditError {
        EditError {
            rule: self.edit.rule.clone(),
            problem,
        }
    }

    /// By place: parents before children, items by number, rewrites by offset.
    fn order(&self, other: &Self) -> Ordering {
        let steps = self.path.iter().zip(&other.path);
        let first_difference = steps
            .map(|(a, b)| step_order(a, b))
            .find(|order| order.is_ne());
        first_difference
            .unwrap_or_else(|| self.path.len().cmp(&other.path.len()))
            .then_with(|| self.start().cmp(&other.start()))
    }

    fn start(&self) -> (u32, u32) {
        match self.edit.change {
            Change::Rewrite { start, end, .. } => (start, end),
            Change::Remove { .. } | Change::Replace { .. } => (0, 0),
        }
    }

    /// Whether `next`, which does not come before this one, changes what this one changes. In the
    /// sorted order an edit directly follows one that it overlaps with, if there is any.
    fn overlaps(&self, next: &Self) -> bool {
        if !next.path.starts_with(&self.path) {
            return false;
        }
        match (&self.edit.change, &next.edit.change) {
            (Change::Rewrite { end, .. }, Change::Rewrite { start, .. }) => start < end,
            _ => true,
        }
    }

    fn apply(&self, body: &mut Value) -> Result<(), EditProblem> {
        let nowhere = || EditProblem::Nowhere(self.pointer().to_owned());
        match &self.edit.change {
            Change::Remove { .. } => self.remove(body).ok_or_else(nowhere),
            Change::Replace { pointer, json } => {
                let target = body.pointer_mut(pointer).ok_or_else(nowhere)?;
                *target = serde_json::from_str(json)
                    .map_err(|_| EditProblem::BadJson(pointer.clone()))?;
                Ok(())
            }
            Change::Rewrite {
                pointer,
                start,
                end,
                replacement,
            } => {
                let Value::String(text) = body.pointer_mut(pointer).ok_or_else(nowhere)? else {
                    return Err(EditProblem::NotAString(pointer.clone()));
                };
                let range = *start as usize..*end as usize;
                if text.get(range.clone()).is_none() {
                    let (start, end) = (*start, *end);
                    return Err(EditProblem::BadRange {
                        pointer: pointer.clone(),
                        start,
                        end,
                    });
                }
                text.replace_range(range, replacement);
                Ok(())
            }
        }
    }

    fn remove(&self, body: &mut Value) -> Option<()> {
        let (parent, _) = self.pointer().rsplit_once('/')?;
        let name = self.path.last()?;
        match body.pointer_mut(parent)? {
            Value::Object(fields) => fields.shift_remove(name).map(drop),
            Value::Array(items) => {
                let index = index(name).filter(|index| *index < items.len())?;
                items.remove(index);
                Some(())
            }
            _ => None,
        }
    }
}

fn pointer_of(change: &Change) -> &str {
    match change {
        Change::Remove { pointer }
        | Change::Replace { pointer, .. }
        | Change::Rewrite { pointer, .. } => pointer,
    }
}

/// The steps of an RFC 6901 pointer; none of them for the whole document.
fn path(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let steps = pointer.strip_prefix('/')?.split('/');
    Some(
        steps
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

/// Items of a list by number, before names by their letters.
fn step_order(a: &str, b: &str) -> Ordering {
    let place = |step| index(step).map_or((usize::MAX, step), |index| (index, ""));
    place(a).cmp(&place(b))
}

/// A list index in the one form that RFC 6901 allows.
fn index(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn edit(change: Change) -> Edit {
        Edit {
            rule: "r".into(),
            change,
        }
    }

    fn remove(pointer: &str) -> Edit {
        edit(Change::Remove {
            pointer: pointer.into(),
        })
    }

    fn replace(pointer: &str, json: &str) -> Edit {
        edit(Change::Replace {
            pointer: pointer.into(),
            json: json.into(),
        })
    }

    fn rewrite(pointer: &str, start: u32, end: u32, replacement: &str) -> Edit {
        let (pointer, replacement) = (pointer.into(), replacement.into());
        edit(Change::Rewrite {
            pointer,
            start,
            end,
            replacement,
        })
    }

    #[test]
    fn places_are_those_that_the_keyer_saw() {
        let body = json!({"a": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, {"b": "xyz"}], "c~/": true});
        let edits = [
            remove("/a/2"),
            rewrite("/a/10/b", 0, 1, "long"),
            remove("/a/9"),
            rewrite("/a/10/b", 2, 3, ""),
            replace("/a/0", "[]"),
            remove("/c~0~1"),
        ];
        let edited = apply(&body, &edits);
        assert_eq!(
            edited,
            Ok(json!({"a": [[], 1, 3, 4, 5, 6, 7, 8, {"b": "longy"}]}))
        );
    }

    #[test]
    fn impossible_edits_are_refused() {
        let body = json!({"model": "m", "s": "né", "n": 7, "list": [1]});
        let refused = |edits: &[Edit]| apply(&body, edits).expect_err("it is refused").problem;
        assert_eq!(refused(&[remove("")]), EditProblem::Forbidden);
        assert_eq!(refused(&[remove("/model")]), EditProblem::Forbidden);
        assert_eq!(refused(&[replace("/model/x", "1")]), EditProblem::Forbidden);
        assert_eq!(refused(&[remove("s")]), EditProblem::BadPointer("s".into()));
        assert_eq!(
            refused(&[remove("/list/1")]),
            EditProblem::Nowhere("/list/1".into())
        );
        assert_eq!(
            refused(&[remove("/list/00")]),
            EditProblem::Nowhere("/list/00".into())
        );
        assert_eq!(
            refused(&[remove("/n/x")]),
            EditProblem::Nowhere("/n/x".into())
        );
        assert_eq!(
            refused(&[replace("/n", "{")]),
            EditProblem::BadJson("/n".into())
        );
        assert_eq!(
            refused(&[rewrite("/n", 0, 0, "")]),
            EditProblem::NotAString("/n".into())
        );
        for (start, end) in [(0, 2), (2, 3), (0, 9), (1, 0)] {
            let problem = refused(&[rewrite("/s", start, end, "")]);
            assert_eq!(
                problem,
                EditProblem::BadRange {
                    pointer: "/s".into(),
                    start,
                    end
                }
            );
        }
    }

    #[test]
    fn overlapping_edits_are_refused() {
        let body = json!({"s": "abcdef", "o": {"p": {"q": 1}, "pp": 2}});
        for edits in [
            vec![rewrite("/s", 0, 3, ""), rewrite("/s", 2, 4, "")],
            vec![
                rewrite("/s", 0, 6, ""),
                rewrite("/s", 1, 2, ""),
                rewrite("/s", 3, 4, ""),
            ],
            vec![remove("/s"), rewrite("/s", 0, 1, "")],
            vec![remove("/o/p/q"), remove("/o/p")],
            vec![remove("/o"), remove("/o/p/q"), remove("/o/pp")],
            vec![replace("/s", "1"), replace("/s", "1")],
        ] {
            let problem = apply(&body, &edits).expect_err("it is refused").problem;
            assert!(matches!(problem, EditProblem::Overlap(_)), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn any_edit_of_any_place_either_works_or_is_refused(
            pointer in "(/(a|b|0|1|2|~0|~1|model|é)?){0,3}", start in 0_u32..6, end in 0_u32..6,
        ) {
            let body = json!({"model": "m", "a": ["héé", {"b": "x"}], "b": {"0": 1, "~": "y", "": ""}});
            for edit in [remove(&pointer), replace(&pointer, "2"), rewrite(&pointer, start, end, "z")] {
                if let Ok(edited) = apply(&body, &[edit]) {
                    prop_assert_eq!(&edited["model"], &body["model"]);
                }
            }
        }
    }
}
