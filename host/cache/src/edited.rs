//! A value as a patch leaves it, read without a copy of it.

use std::ptr;

use serde_json::Value;

use crate::patch::{KEPT, Patch};

/// A value and the patch that is made to it.
#[derive(Clone, Copy)]
pub(crate) struct Edited<'a> {
    value: &'a Value,
    patch: &'a Patch,
}

impl<'a> Edited<'a> {
    /// Returns the value as this patch leaves it.
    pub(crate) fn new(value: &'a Value, patch: &'a Patch) -> Self {
        match patch {
            Patch::Replaced(new) => Self::whole(new),
            _ => Self { value, patch },
        }
    }

    /// Returns the value as it is.
    pub(crate) fn whole(value: &'a Value) -> Self {
        let patch = &KEPT;
        Self { value, patch }
    }

    /// Returns the string that stands here.
    pub(crate) fn text(self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Returns a field of the object that stands here.
    pub(crate) fn get(self, name: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(name)?;
        let patch = self.patch.field(name);
        (!patch.is_removed()).then(|| Self::new(value, patch))
    }

    /// Returns the value at this path of field names.
    pub(crate) fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// Returns the fields of the object that stands here.
    pub(crate) fn fields(self) -> Option<impl Iterator<Item = (&'a str, Self)>> {
        let fields = self.value.as_object()?.iter();
        Some(fields.filter_map(move |(name, value)| {
            let patch = self.patch.field(name);
            (!patch.is_removed()).then(|| (name.as_str(), Self::new(value, patch)))
        }))
    }

    /// Returns the items of the list that stands here.
    pub(crate) fn items(self) -> Option<impl Iterator<Item = Self>> {
        let items = self.value.as_array()?.iter().enumerate();
        Some(items.filter_map(move |(index, value)| {
            let patch = self.patch.item(index);
            (!patch.is_removed()).then(|| Self::new(value, patch))
        }))
    }

    /// Returns whether this is the very place that the other is, with nothing changed in it.
    pub(crate) fn is_untouched(self, other: Self) -> bool {
        ptr::eq(self.value, other.value) && self.patch.is_kept() && other.patch.is_kept()
    }

    /// Returns whether both are the same JSON.
    pub(crate) fn equals(self, other: Self) -> bool {
        if self.patch.is_kept() && other.patch.is_kept() {
            return self.is_untouched(other) || self.value == other.value;
        }
        if let (Some(ours), Some(theirs)) = (self.items(), other.items()) {
            return pairwise(ours, theirs, Self::equals);
        }
        let (Some(mut ours), Some(theirs)) = (self.fields(), other.fields()) else {
            return self.value == other.value;
        };
        let has_same = |(name, value): (&str, Self)| {
            let theirs = other.get(name);
            theirs.is_some_and(|theirs| value.equals(theirs))
        };
        self.fields().into_iter().flatten().count() == theirs.count() && ours.all(has_same)
    }
}

/// Returns whether two lists are as long, and each two items of one place are alike.
pub(crate) fn pairwise<'a>(
    ours: impl IntoIterator<Item = Edited<'a>>,
    theirs: impl IntoIterator<Item = Edited<'a>>,
    alike: impl Fn(Edited<'a>, Edited<'a>) -> bool,
) -> bool {
    let mut theirs = theirs.into_iter();
    let all = ours
        .into_iter()
        .all(|ours| theirs.next().is_some_and(|theirs| alike(ours, theirs)));
    all && theirs.next().is_none()
}
