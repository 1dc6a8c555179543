//! A body as a keyer's edits leave it, without a copy of what stays: most of a long request does.

use std::collections::HashMap;

use serde_json::Value;

/// What becomes of a value.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Patch {
    /// It stays as it is.
    #[default]
    Kept,
    /// It is taken out.
    Removed,
    /// Another value stands there.
    Replaced(Value),
    /// Something becomes of these fields of the object.
    Fields(HashMap<String, Patch>),
    /// Something becomes of these items of the list.
    Items(HashMap<usize, Patch>),
}

/// No change.
pub(crate) static KEPT: Patch = Patch::Kept;

impl Patch {
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }

    /// What becomes of a field.
    pub(crate) fn field(&self, name: &str) -> &Self {
        match self {
            Self::Fields(fields) => fields.get(name).unwrap_or(&KEPT),
            _ => &KEPT,
        }
    }

    /// What becomes of an item.
    pub(crate) fn item(&self, index: usize) -> &Self {
        match self {
            Self::Items(items) => items.get(&index).unwrap_or(&KEPT),
            _ => &KEPT,
        }
    }

    pub(crate) fn is_removed(&self) -> bool {
        matches!(self, Self::Removed)
    }

    /// Sees to it that `becomes` becomes of the value at this path in `value`. `None` if nothing
    /// stands there.
    pub(crate) fn put(&mut self, value: &Value, path: &[String], becomes: Self) -> Option<()> {
        let [step, rest @ ..] = path else {
            *self = becomes;
            return Some(());
        };
        let (place, value) = match value {
            Value::Object(fields) => (self.field_mut(step)?, fields.get(step)?),
            Value::Array(items) => {
                let index = index(step)?;
                (self.item_mut(index)?, items.get(index)?)
            }
            _ => return None,
        };
        place.put(value, rest, becomes)
    }

    fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        if self.is_kept() {
            *self = Self::Fields(HashMap::new());
        }
        match self {
            Self::Fields(fields) => Some(fields.entry(name.to_owned()).or_default()),
            _ => None,
        }
    }

    fn item_mut(&mut self, index: usize) -> Option<&mut Self> {
        if self.is_kept() {
            *self = Self::Items(HashMap::new());
        }
        match self {
            Self::Items(items) => Some(items.entry(index).or_default()),
            _ => None,
        }
    }

    /// The value as it has become.
    pub(crate) fn applied(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Replaced(new), _) => new.clone(),
            (Self::Fields(_), Value::Object(fields)) => {
                let kept = fields
                    .iter()
                    .filter(|(name, _)| !self.field(name).is_removed());
                let applied =
                    kept.map(|(name, value)| (name.clone(), self.field(name).applied(value)));
                Value::Object(applied.collect())
            }
            (Self::Items(_), Value::Array(items)) => {
                let patched = items.iter().enumerate();
                let patched = patched.map(|(index, value)| (self.item(index), value));
                let kept = patched.filter(|(patch, _)| !patch.is_removed());
                kept.map(|(patch, value)| patch.applied(value)).collect()
            }
            _ => value.clone(),
        }
    }
}

/// A list index in the one form that RFC 6901 allows.
fn index(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| canonical)
}
