//! Eviction policies over traces of keys.

use std::{error::Error, fs};

use deja_policy::PluginChoice;

use super::{super::table, Folder, entries, hits, lasting, run};
use crate::replay::{ReplayError, Warmup};

const POLICIES: [&str; 7] = [
    "host",
    "lru",
    "fifo",
    "sieve",
    "s3-fifo",
    "gdsf",
    "w-tinylfu",
];

const COLUMNS: &str = "time=1,key=2,bytes=3";

/// The trace of the policies' own golden test: a few keys are asked for often, many seldom.
fn golden() -> String {
    let mut state = 42_u64;
    let keys = std::iter::repeat_with(move || {
        // Knuth's generator MMIX, whose upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        (random >> 8) % (2 << (random % 13))
    });
    let lines: Vec<_> = keys.take(50_000).map(|key| format!("{key}\n")).collect();
    lines.concat()
}

#[test]
fn components_hit_as_often_as_natively() {
    let (_folder, mut plan) = Folder::with("golden.txt", &golden());
    plan.evictions = POLICIES.map(PluginChoice::new).to_vec();
    plan.capacities = entries(&[20, 200, 2000]);
    let results = run(&plan).expect("it runs");
    for (policy, expected) in [
        ("host", [11_506, 26_855, 41_478]),
        ("lru", [11_506, 26_855, 41_478]),
        ("fifo", [9_697, 24_246, 39_882]),
        ("sieve", [18_840, 31_065, 42_257]),
        ("s3-fifo", [19_058, 31_326, 42_103]),
        ("gdsf", [16_329, 29_503, 42_040]),
        ("w-tinylfu", [18_824, 31_417, 42_302]),
    ] {
        assert_eq!(hits(&results, policy), expected, "{policy}");
    }
    let distinct = results.trace.distinct;
    assert_eq!(hits(&results, "infinite"), [50_000 - distinct]);
    let chosen_by_host = |cell: &&crate::replay::Cell| cell.counts.host_evictions > 0;
    let of_plugins = results.cells.iter().filter(|cell| cell.eviction != "host");
    assert_eq!(of_plugins.filter(chosen_by_host).count(), 0);
}

#[test]
fn a_sweep_goes_on_where_it_stood() {
    let (folder, mut plan) = Folder::with("golden.txt", &golden());
    let out = folder.path().join("out");
    plan.out = Some(out.clone());
    plan.capacities = entries(&[20]);
    let first = run(&plan).expect("it runs");
    plan.capacities = entries(&[20, 200]);
    let second = run(&plan).expect("it runs");
    // Speeds are never the same twice, unless they are remembered.
    assert_eq!(first.cells[0], second.cells[0]);
    assert_eq!(second.cells.len(), first.cells.len() + 2);

    let cells = fs::read_dir(out.join("cells")).expect("it is there");
    for cell in cells.flatten() {
        fs::write(cell.path(), "{").expect("there is room");
    }
    let anew = run(&plan).expect("it runs");
    assert_ne!(anew.cells[0], second.cells[0]);
    assert_eq!(lasting(anew), lasting(second));
}

#[test]
fn the_terminal_shows_what_there_is_to_tell() {
    let trace: String = [1, 2, 3, 1, 2, 4, 1, 2]
        .map(|key| format!("{key}\n"))
        .concat();
    let (_folder, mut plan) = Folder::with("few.txt", &trace);
    plan.evictions.push(PluginChoice::new("sieve"));
    plan.capacities = entries(&[2, 3]);
    plan.warmup = Warmup::Share(0.25);
    let results = lasting(run(&plan).expect("it runs"));
    insta::assert_snapshot!(table(&results));
}

#[test]
fn what_makes_no_sense_is_an_error_that_says_so() {
    for (name, trace, error) in [
        (
            "empty.lis",
            "\n\n",
            "the trace cannot be replayed: it holds no request",
        ),
        (
            "backwards.csv",
            "9,1,5\n8,2,5\n",
            "the trace cannot be replayed: times run backwards: access 2 is at 8000 ms, the one before \
             it at 9000 ms",
        ),
        (
            "sizes.csv",
            "1,1,0\n1,1,-4\n",
            "nothing in the trace could be read: sizes.csv:1: field 3 is missing, or no whole \
             number above 0",
        ),
    ] {
        let (folder, mut plan) = Folder::with(name, trace);
        plan.read.columns = trace
            .contains(',')
            .then(|| COLUMNS.parse().expect("they are columns"));
        let refused = run(&plan).expect_err("it makes no sense");
        let folder = format!("{}/", folder.path().display());
        assert_eq!(in_full(&refused).replace(&folder, ""), error);
    }
}

#[test]
fn a_warm_up_leaves_something_to_be_counted() {
    let (_folder, mut plan) = Folder::with("few.txt", "1\n2\n");
    plan.warmup = Warmup::Requests(2);
    let refused = run(&plan).expect_err("nothing is left");
    assert!(matches!(refused, ReplayError::NothingCounted { .. }));
}

#[test]
fn a_trace_of_keys_has_no_keyers() {
    let (_folder, mut plan) = Folder::with("few.txt", "1\n2\n");
    plan.keyers = vec![vec![PluginChoice::new("exact")]];
    let refused = run(&plan).expect_err("no keyer can be asked");
    assert!(
        in_full(&refused).contains("no keyer can be asked"),
        "{refused}"
    );
}

fn in_full(error: &dyn Error) -> String {
    let causes = error.source().map(in_full).into_iter();
    let causes = std::iter::once(error.to_string()).chain(causes);
    causes.collect::<Vec<_>>().join(": ")
}
