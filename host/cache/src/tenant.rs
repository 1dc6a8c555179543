//! Those who share answers, and how much of everything one of them may have.

use std::collections::HashMap;

use crate::{Capacity, Entry, digest::Digest};

/// Callers who share answers: a digest of what separates them from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tenant(u64);

impl Tenant {
    /// The tenant that exactly these parts separate from others.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Digest::new();
        parts.into_iter().for_each(|part| digest.add(part));
        let bytes = digest.finish();
        let first = bytes.first_chunk().expect("a digest is longer");
        Self(u64::from_le_bytes(*first))
    }
}

/// A part of a whole: more than nothing, up to all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    millionths: u32,
}

impl Fraction {
    const WHOLE: u32 = 1_000_000;

    /// Reads a number above 0 and up to 1.
    #[must_use]
    pub fn new(part: f64) -> Option<Self> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and a million"
        )]
        let millionths = (part.clamp(0.0, 1.0) * f64::from(Self::WHOLE)) as u32;
        (part <= 1.0 && millionths > 0).then_some(Self { millionths })
    }

    /// Returns so much of a total, at least one.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        let part = u128::from(total) * u128::from(self.millionths) / u128::from(Self::WHOLE);
        u64::try_from(part).unwrap_or(total).max(1)
    }

    /// Returns so much of a capacity.
    pub(crate) fn of_capacity(self, capacity: Capacity) -> Capacity {
        Capacity {
            entries: self.of(capacity.entries),
            bytes: self.of(capacity.bytes),
        }
    }
}

/// What each tenant's entries take.
#[derive(Debug, Default)]
pub(crate) struct Holdings(HashMap<Tenant, Capacity>);

impl Holdings {
    /// Counts an entry that came in.
    pub(crate) fn add(&mut self, entry: &Entry) {
        let Some(tenant) = entry.tenant else { return };
        let held = self.0.entry(tenant).or_insert(NOTHING);
        held.entries += 1;
        held.bytes += entry.facts.bytes;
    }

    /// Counts an entry that left.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        let Some(tenant) = entry.tenant else { return };
        let Some(held) = self.0.get_mut(&tenant) else {
            return;
        };
        held.entries = held.entries.saturating_sub(1);
        held.bytes = held.bytes.saturating_sub(entry.facts.bytes);
        if *held == NOTHING {
            self.0.remove(&tenant);
        }
    }

    /// Returns what a tenant holds over `most`.
    pub(crate) fn excess(&self, tenant: Tenant, most: Capacity) -> Capacity {
        let held = self.0.get(&tenant).copied().unwrap_or(NOTHING);
        Capacity {
            entries: held.entries.saturating_sub(most.entries),
            bytes: held.bytes.saturating_sub(most.bytes),
        }
    }

    /// Returns all who hold something.
    pub(crate) fn tenants(&self) -> Vec<Tenant> {
        self.0.keys().copied().collect()
    }
}

const NOTHING: Capacity = Capacity {
    entries: 0,
    bytes: 0,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_above_nothing_and_up_to_all() {
        assert_eq!(Fraction::new(0.25).map(|part| part.of(200)), Some(50));
        assert_eq!(Fraction::new(1.0).map(|part| part.of(7)), Some(7));
        assert_eq!(Fraction::new(0.01).map(|part| part.of(3)), Some(1));
        for part in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Fraction::new(part), None);
        }
    }
}
