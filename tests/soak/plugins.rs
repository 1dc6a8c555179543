//! What is dropped into the plugin folder.

use deja_guests::{self as guests, Edit};
use deja_tests::{built, variant};
use rand::{RngExt as _, rngs::StdRng};

const TRAP: &str = "unreachable";

/// A file, and the place that it takes.
pub(crate) struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Components that do what they should.
pub(crate) fn good(draw: &mut StdRng) -> Plugin {
    const KEYERS: [&str; 3] = ["exact", "ignore-case-and-space", "normalise-text"];
    const EVICTIONS: [&str; 5] = ["lru", "fifo", "sieve", "s3-fifo", "w-tinylfu"];
    let number = draw.random_range(0..=u8::MAX);
    let (name, component) = match draw.random_range(0..3) {
        0 => ("exact", KEYERS[draw.random_range(0..KEYERS.len())]),
        1 => ("lru", EVICTIONS[draw.random_range(0..EVICTIONS.len())]),
        _ => ("standard", "standard"),
    };
    Plugin {
        name,
        bytes: variant(component, number),
    }
}

/// Components that fail, in one way or another, and files that are none.
pub(crate) fn hostile(draw: &mut StdRng) -> Plugin {
    let keyers: [&str; 5] = [
        TRAP,
        guests::GREEDY,
        guests::BOTTOMLESS,
        guests::HUGE_ANSWER,
        guests::CHATTY,
    ];
    let edits: [&[Edit<'_>]; 4] = [
        &[Edit::Remove("/no/such/place")],
        &[Edit::Rewrite("/messages/0/content", 2, 1)],
        &[Edit::Replace("/model", "\"other\"")],
        &[Edit::Replace("/messages", "[{")],
    ];
    let mut one_of = |count: usize| draw.random_range(0..count);
    let (name, bytes) = match one_of(8) {
        0 | 1 => ("exact", guests::keyer_for_messages_that(keyers[one_of(5)])),
        2 => ("exact", guests::keyer_that_edits(edits[one_of(4)])),
        3 => ("exact", b"hello, world".to_vec()),
        4 => ("exact", guests::keyer_for_messages_that(guests::ENDLESS)),
        5 | 6 => ("lru", eviction(one_of(6))),
        _ => ("standard", stats(one_of(6))),
    };
    Plugin { name, bytes }
}

fn eviction(number: usize) -> Vec<u8> {
    let nobody = guests::naming(u64::MAX);
    let (function, instructions) = [
        ("on-insert", TRAP),
        ("on-hit", TRAP),
        ("on-remove", TRAP),
        ("victims", guests::GIGABYTE),
        ("victims", nobody.as_str()),
        ("save", TRAP),
    ][number];
    guests::eviction_whose(function, instructions)
}

fn stats(number: usize) -> Vec<u8> {
    let (function, instructions) = [
        ("restore", TRAP),
        ("fold", guests::GREEDY),
        ("report", guests::ENDLESS),
        ("report", guests::NOT_JSON),
        ("samples", guests::NOT_A_NUMBER),
        ("save", TRAP),
    ][number];
    guests::stats_whose(function, instructions)
}

/// The component that stands in each place at first.
pub(crate) fn standard() -> [Plugin; 3] {
    ["exact", "lru", "standard"].map(|name| Plugin {
        name,
        bytes: built(name),
    })
}
