//! Names by how often they come.

use std::collections::HashMap;

use serde::Serialize;

/// How often something came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Its name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Names by how often they come, most often first.
pub(super) fn ranked<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Count> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts
        .into_iter()
        .map(|(name, count)| Count {
            name: name.to_owned(),
            count,
        })
        .collect();
    ranked.sort_by(|one, other| {
        let by_count = other.count.cmp(&one.count);
        by_count.then_with(|| one.name.cmp(&other.name))
    });
    ranked
}
