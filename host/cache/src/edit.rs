//! Checks a keyer's edits against the body that it saw, and makes a patch of them. All pointers and
//! offsets are those of that body, whatever the other edits do.

use std::ops::Range;

use serde_json::Value;

use crate::{Change, Edit, Held, patch::Patch};

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
    /// The edits so far leave too little of the request.
    #[error("the edit of `{pointer}` goes below the floor: {held}")]
    BelowFloor {
        /// What the edit changes.
        pointer: String,
        /// The part that is not kept.
        held: Held,
    },
    /// Two edits change the same thing.
    #[error("the edit of `{0}` overlaps with another")]
    Overlap(String),
}

/// The patch that makes all edits.
///
/// # Errors
/// Names an edit that cannot be made; then none is.
pub(crate) fn patch(body: &Value, edits: &[Edit]) -> Result<Patch, EditError> {
    let mut placed = edits
        .iter()
        .map(Placed::new)
        .collect::<Result<Vec<_>, _>>()?;
    placed.sort_by(|one, other| one.place().cmp(&other.place()));
    for pair in placed.windows(2) {
        if pair[0].overlaps(&pair[1]) {
            let pointer = pair[1].pointer().to_owned();
            return Err(pair[1].error(EditProblem::Overlap(pointer)));
        }
    }
    let mut patch = Patch::default();
    for same_place in placed.chunk_by(|one, other| one.path == other.path) {
        let becomes = becomes(body, same_place)?;
        let first = &same_place[0];
        patch
            .put(body, &first.path, becomes)
            .ok_or_else(|| first.error(EditProblem::Nowhere(first.pointer().to_owned())))?;
    }
    Ok(patch)
}

/// What becomes of the value at one place: these edits are one, or all rewrites.
fn becomes(body: &Value, edits: &[Placed<'_>]) -> Result<Patch, EditError> {
    let first = &edits[0];
    match &first.edit.change {
        Change::Remove { .. } => Ok(Patch::Removed),
        Change::Replace { pointer, json } => serde_json::from_str(json)
            .map(Patch::Replaced)
            .map_err(|_| first.error(EditProblem::BadJson(pointer.clone()))),
        Change::Rewrite { .. } => rewritten(first.text(body)?, edits),
    }
}

/// A string with all its rewrites made.
fn rewritten(text: &str, rewrites: &[Placed<'_>]) -> Result<Patch, EditError> {
    let mut new = String::with_capacity(text.len());
    let mut done = 0;
    for rewrite in rewrites {
        let (range, replacement) = rewrite.splice(text)?;
        new.push_str(&text[done..range.start]);
        new.push_str(replacement);
        done = range.end;
    }
    new.push_str(&text[done..]);
    Ok(Patch::Replaced(new.into()))
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

    /// Parents come before children, and rewrites of one string by their offsets.
    fn place(&self) -> (&[String], (u32, u32)) {
        (&self.path, self.start())
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

    /// The string that it rewrites.
    fn text<'b>(&self, body: &'b Value) -> Result<&'b str, EditError> {
        let pointer = || self.pointer().to_owned();
        let value = body
            .pointer(self.pointer())
            .ok_or_else(|| self.error(EditProblem::Nowhere(pointer())))?;
        value
            .as_str()
            .ok_or_else(|| self.error(EditProblem::NotAString(pointer())))
    }

    /// The bytes of this text that it rewrites, and what stands there instead.
    fn splice(&self, text: &str) -> Result<(Range<usize>, &'a str), EditError> {
        let Change::Rewrite {
            pointer,
            start,
            end,
            replacement,
        } = &self.edit.change
        else {
            unreachable!("only rewrites share a place");
        };
        let range = *start as usize..*end as usize;
        if text.get(range.clone()).is_none() {
            let (pointer, start, end) = (pointer.clone(), *start, *end);
            return Err(self.error(EditProblem::BadRange {
                pointer,
                start,
                end,
            }));
        }
        Ok((range, replacement))
    }
}

/// Returns the place that a change is made at.
pub(crate) fn pointer_of(change: &Change) -> &str {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn apply(body: &Value, edits: &[Edit]) -> Result<Value, EditError> {
        Ok(patch(body, edits)?.applied(body))
    }

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
