//! Guests that need a WASI get an empty one.

use std::time::Instant;

use deja_cache::{Decision, Keyer};

use crate::guests;
use crate::log::log;
use crate::support::{Folder, request};

fn partition(keyer: &dyn Keyer) -> Option<String> {
    match keyer.decide(&request("?")).expect("decides") {
        Decision::Cache(recipe) => recipe.partition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_printed_goes_to_the_log_and_nothing_waits() {
    let log = log();
    let folder = Folder::new();
    let instructions = "
        (call $write (call $stderr) (i32.const 2048) (i32.const 7) (i32.const 512))
        (call $block (call $after (i64.const 3600000000000)))";
    folder.put("printing", &guests::keyer_with_wasi(instructions));
    let start = Instant::now();
    let (_, keyer) = folder.keyer("printing");
    assert_eq!(partition(&*keyer), None);
    assert!(start.elapsed().as_secs() < 600);
    assert!(log.count(&["WARN message=a line plugin=printing"]) >= 2);
}

#[test]
fn the_time_and_random_numbers_are_the_same_in_every_instance() {
    for instructions in [
        "(call $partition (call $random))",
        "(call $partition (call $now))",
        "(call $bytes (i64.const 8) (i32.const 512))
         (call $partition (i64.load (i32.load (i32.const 512))))",
    ] {
        let mut folder = Folder::new();
        folder.limits.calls_per_instance = 1;
        folder.put("random", &guests::keyer_with_wasi(instructions));
        let (_, keyer) = folder.keyer("random");
        let first = partition(&*keyer).expect("is there");
        assert_eq!(partition(&*keyer), Some(first));
    }
}

#[test]
fn what_is_not_there_traps_and_too_much_is_refused() {
    for (instructions, reason) in [
        ("(call $exit (i32.const 0))", "no `exit` in the empty WASI"),
        (
            "(call $bytes (i64.const 0x10000000000) (i32.const 512))",
            "too many random bytes",
        ),
    ] {
        let folder = Folder::new();
        folder.put("odd", &guests::keyer_with_wasi(instructions));
        let error = folder.host("odd", "lru", "standard").load().err();
        let error = crate::support::chain(&error.expect("fails its self-test"));
        assert!(error.contains(reason), "{error}");
    }
}
