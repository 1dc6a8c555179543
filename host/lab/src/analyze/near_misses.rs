//! Requests that nearly ask what another asked: which fields keep them apart.

use std::cmp::Ordering;

use rayon::prelude::*;
use serde::Serialize;

use super::{
    parts::{Part, Paths},
    ranking::{Count, ranked},
    request::Request,
};

/// The most fields in which two requests of a near miss differ.
const MOST_FIELDS: usize = 3;

/// Requests before one that are looked at.
const LOOKED_BACK: usize = 64;

/// What keeps requests apart whose bodies are alike.
const SCOPE: &str = "(caller, query or headers)";

/// Requests that nearly ask what another asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearMisses {
    /// How many there are, each with the one before it that comes nearest.
    pub count: u64,
    /// The fields that differ, most often first, `*` standing for the number of an item.
    pub fields: Vec<Count>,
}

/// The near misses among the requests that ask something of their own. Requests that go on with a
/// conversation are none: they differ in the number of messages. Nor are those that end in other
/// words: they ask something else.
pub(super) fn near_misses(unique: &[&Request], paths: &Paths) -> NearMisses {
    let nearest: Vec<_> = (1..unique.len())
        .into_par_iter()
        .filter_map(|at| nearest(&unique[at.saturating_sub(LOOKED_BACK)..at], unique[at]))
        .collect();
    let name = |path: &u64| paths.get(path).map_or(SCOPE, String::as_str);
    let names = nearest.iter().flat_map(|fields| {
        let mut names: Vec<_> = fields.iter().map(name).collect();
        names.sort_unstable();
        names.dedup();
        names
    });
    NearMisses {
        count: nearest.len() as u64,
        fields: ranked(names),
    }
}

/// The fields in which a request differs from the one that comes nearest, if one comes near.
fn nearest(before: &[&Request], request: &Request) -> Option<Vec<u64>> {
    let alike = before
        .iter()
        .rev()
        .filter(|other| are_alike(other, request));
    let differences = alike.filter_map(|other| difference(other, request));
    differences.min_by_key(Vec::len)
}

fn are_alike(one: &Request, other: &Request) -> bool {
    one.model == other.model
        && one.messages == other.messages
        && one.parts.last_words == other.parts.last_words
}

/// The fields in which two requests differ, if these are few.
fn difference(one: &Request, other: &Request) -> Option<Vec<u64>> {
    let mut fields = Vec::new();
    if one.scope != other.scope {
        // No place in a body has this digest's name.
        fields.push(0);
    }
    let (mut left, mut right) = (&one.parts.all[..], &other.parts.all[..]);
    while fields.len() <= MOST_FIELDS {
        let (path, skip_left, skip_right) = match (left.first(), right.first()) {
            (None, None) => return (!fields.is_empty()).then_some(fields),
            (Some(a), None) => (a.path, 1, 0),
            (None, Some(b)) => (b.path, 0, 1),
            (Some(a), Some(b)) => match a.path.cmp(&b.path) {
                Ordering::Less => (a.path, 1, 0),
                Ordering::Greater => (b.path, 0, 1),
                Ordering::Equal => (a.path, 1, 1),
            },
        };
        let is_same = skip_left == skip_right && same(left, right);
        if !is_same {
            fields.push(path);
        }
        (left, right) = (&left[skip_left..], &right[skip_right..]);
    }
    None
}

fn same(left: &[Part], right: &[Part]) -> bool {
    left.first().map(|part| part.value) == right.first().map(|part| part.value)
}
