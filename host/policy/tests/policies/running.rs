//! What happens when a plugin fails while it runs.

use std::time::{Duration, Instant};

use deja_cache::{PolicyError, PolicyFailure};
use deja_policy::PluginKind;

use crate::guests::{self, keyer_that_then};
use crate::log::log;
use crate::support::{Folder, edits, entry, request};

/// Runs a keyer that works in its self-test and fails in the next call.
#[track_caller]
fn fails_once(component: &[u8], reason: &str) {
    let mut folder = Folder::new();
    folder.limits.deadline = Duration::from_millis(400);
    folder.put("hostile", component);
    let (host, keyer) = folder.keyer("hostile");
    let error = keyer.decide(&request("?")).expect_err("fails");
    assert!(error.message.contains(reason), "{error}");
    assert_eq!(
        (error.plugin.as_str(), error.failure),
        ("hostile", PolicyFailure::Broken)
    );
    assert_eq!(edits(&*keyer), 0, "a fresh instance decides");
    let status = &host.status()[0];
    assert_eq!((status.calls, status.failures), (2, 1));
    assert_eq!(status.last_error.as_ref(), Some(&error.message));
}

#[test]
fn a_trap_costs_one_decision() {
    fails_once(
        &keyer_that_then("unreachable"),
        "wasm `unreachable` instruction executed",
    );
}

#[test]
fn an_endless_loop_is_stopped_at_the_deadline() {
    let start = Instant::now();
    fails_once(
        &keyer_that_then("(loop $on (br $on))"),
        "no answer within 400ms",
    );
    assert!(start.elapsed() > Duration::from_millis(400));
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    let grow = "(drop (memory.grow (i32.const 4096)))";
    fails_once(
        &keyer_that_then(grow),
        "it wants more than 67108864 bytes of memory",
    );
}

#[test]
fn an_overflow_of_the_stack_costs_one_decision() {
    fails_once(&keyer_that_then("(call $deeper)"), "call stack exhausted");
}

#[test]
fn an_answer_beyond_the_limit_is_not_taken() {
    let mut folder = Folder::new();
    folder.put("huge", &guests::keyer(guests::HUGE_ANSWER));
    folder.limits.result_bytes = 1 << 20;
    let error = folder
        .host("huge", "lru", "standard")
        .load()
        .err()
        .expect("fails its self-test");
    let error = crate::support::chain(&error);
    assert!(error.contains("too much data is being copied"), "{error}");
}

#[test]
fn log_lines_are_few_and_short() {
    let log = log();
    let shout = "(local $line i32)
        (loop $more
            (call $log (i32.const 3) (i32.const 2048) (i32.const 60000))
            (local.set $line (i32.add (local.get $line) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $line) (i32.const 10))))";
    let mut folder = Folder::new();
    folder.limits.log_lines_per_second = 3;
    folder.limits.log_line_bytes = 5;
    folder.put("shouting", &guests::keyer(shout));
    folder.keyer("shouting");
    // Five control characters, which the log shows as spaces.
    assert!(log.count(&["ERROR message=      plugin=shouting"]) >= 3);
    // A busy machine may take more than a second for the ten lines.
    assert!(log.count(&["plugin=shouting"]) < 10);
}

#[test]
fn an_eviction_policy_that_traps_says_that_it_forgot_and_goes_on() {
    let folder = Folder::new();
    folder.put("fearful", &guests::eviction_that_fears_666());
    let host = folder.host("exact", "fearful", "standard");
    let mut eviction = host.load().expect("loads").eviction;
    eviction.on_insert(&entry(1)).expect("inserts");
    let error = eviction.on_insert(&entry(666)).expect_err("traps");
    assert_eq!(error.failure, PolicyFailure::Broken, "{error}");
    let again = || eviction.on_insert(&entry(2));
    let left_alone = |error: &PolicyError| error.failure == PolicyFailure::LeftAlone;
    let recovered =
        std::iter::repeat_with(again).find(|told| !told.as_ref().is_err_and(left_alone));
    assert_eq!(recovered, Some(Ok(())), "a fresh instance inserts");
    let status = host.status();
    let status = status
        .iter()
        .find(|it| it.kind == PluginKind::Eviction)
        .expect("is loaded");
    assert_eq!((status.calls, status.failures), (3, 1));
}

#[test]
fn instances_are_replaced_after_so_many_calls() {
    let mut folder = Folder::new();
    folder.limits.calls_per_instance = 1;
    folder.put("fragile", &keyer_that_then("unreachable"));
    let (host, keyer) = folder.keyer("fragile");
    for _ in 0..5 {
        assert_eq!(edits(&*keyer), 0, "no instance is called twice");
    }
    assert_eq!(host.status()[0].failures, 0);
}
