//! Plugins that get through their self-test and then do what they should not: what the cache makes
//! of it.

use std::sync::Arc;
use std::time::Duration;

use deja_cache::{
    BypassReason, Cache, CacheLimits, Capacity, Endpoint, Gauges, Keep, Keyed, KeyerChain, Ledger,
    NewEntry, Outcome, OutcomeKind, Question, Scope,
};
use deja_policy::{BreakerState, PluginHost, PluginKind, PluginStatus};
use deja_wire::Answer;
use serde_json::{Value, json};

use crate::guests::{self, Edit};
use crate::support::{Folder, request};

/// The most entries of the caches here.
const ENTRIES: u64 = 5;

const TRAP: &str = "unreachable";

fn status(host: &PluginHost, kind: PluginKind) -> PluginStatus {
    let mut plugins = host.status().into_iter();
    plugins.find(|it| it.kind == kind).expect("is loaded")
}

/// A host with one plugin that is hostile, and its folder.
fn host(kind: PluginKind, component: &[u8]) -> (Folder, Arc<PluginHost>) {
    let mut folder = Folder::new();
    folder.limits.deadline = Duration::from_millis(300);
    folder.put("hostile", component);
    let host = match kind {
        PluginKind::Keyer => folder.host("hostile", "lru", "standard"),
        PluginKind::Eviction => folder.host("exact", "hostile", "standard"),
        PluginKind::Stats => folder.host("exact", "lru", "hostile"),
    };
    (folder, host)
}

#[test]
fn edits_that_cannot_be_made_leave_the_cache_out() {
    let cases: [(&str, &[Edit<'_>]); 8] = [
        (
            "overlap",
            &[Edit::Remove("/messages"), Edit::Remove("/messages/0")],
        ),
        ("nowhere", &[Edit::Remove("/no/such/place")]),
        ("no pointer", &[Edit::Remove("messages")]),
        (
            "out of range",
            &[Edit::Rewrite("/messages/0/content", 0, 1000)],
        ),
        ("backwards", &[Edit::Rewrite("/messages/0/content", 2, 1)]),
        (
            "within a character",
            &[Edit::Rewrite("/messages/0/content", 1, 2)],
        ),
        ("the model", &[Edit::Replace("/model", "\"other\"")]),
        ("no JSON", &[Edit::Replace("/messages", "[{")]),
    ];
    for (case, edits) in cases {
        let (_folder, host) = host(PluginKind::Keyer, &guests::keyer_that_edits(edits));
        let keyers = KeyerChain::new(host.load().expect("loads").keyers);
        let keyed = keyers.consult(request("Ä?"), Scope::of([])).keyed;
        assert!(
            matches!(keyed, Keyed::Bypass(BypassReason::BadEdit(_))),
            "{case}: {keyed:?}"
        );
        let status = status(&host, PluginKind::Keyer);
        assert_eq!(status.failures, 1, "{case}");
        assert!(status.last_error.is_some() && status.breaker == BreakerState::Closed);
    }
}

#[test]
fn a_keyer_that_always_fails_is_left_alone_and_tried_again() {
    let mut folder = Folder::new();
    folder.limits.breaker.first_pause = Duration::ZERO;
    folder.limits.breaker.longest_pause = Duration::ZERO;
    folder.put("hostile", &guests::keyer_for_messages_that(TRAP));
    let (host, keyer) = folder.keyer("hostile");
    let mut messages = request("?");
    messages.endpoint = Endpoint::Messages;
    for _ in 0..folder.limits.breaker.failures {
        assert_eq!(
            status(&host, PluginKind::Keyer).breaker,
            BreakerState::Closed
        );
        keyer.decide(&messages).expect_err("fails");
    }
    assert_eq!(status(&host, PluginKind::Keyer).breaker, BreakerState::Open);
    keyer.decide(&request("?")).expect("the probe works");
    assert_eq!(
        status(&host, PluginKind::Keyer).breaker,
        BreakerState::Closed
    );
}

#[test]
fn a_keyer_that_is_left_alone_is_not_called() {
    let mut folder = Folder::new();
    folder.limits.breaker.failures = 1;
    folder.limits.breaker.first_pause = Duration::from_mins(1);
    folder.put("hostile", &guests::keyer_for_messages_that(TRAP));
    let (host, keyer) = folder.keyer("hostile");
    let mut messages = request("?");
    messages.endpoint = Endpoint::Messages;
    keyer.decide(&messages).expect_err("fails");
    let error = keyer.decide(&request("?")).expect_err("is left alone");
    assert!(error.message.contains("left alone"), "{error}");
    let status = status(&host, PluginKind::Keyer);
    assert_eq!((status.calls, status.failures), (1, 1));
    assert_eq!(status.breaker, BreakerState::Open);
}

/// Stores an answer, which has to be found at once.
fn store(cache: &Cache, number: u64) {
    let key = format!("{number:064x}").parse().expect("is a key");
    let document = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": format!("answer {number}")},
            "finish_reason": "stop",
        }],
    });
    let endpoint = Endpoint::ChatCompletions;
    let answer = Answer::from_document(endpoint, document.to_string().as_bytes());
    cache.insert(NewEntry {
        key,
        answer: Arc::new(answer.expect("is a whole answer")),
        question: Question::new(endpoint, b"{}", Keep::Nothing),
        cost: Duration::from_secs(1),
        ttl: None,
        tags: Vec::new(),
        tenant: None,
    });
    let held = cache.lookup(&key, None).map(|entry| entry.key);
    assert_eq!(held, Some(key), "the newest is held");
    assert!(cache.gauges().entries <= ENTRIES);
}

/// A cache of few entries after more were stored.
fn churned(host: &PluginHost) -> Cache {
    let limits = CacheLimits {
        capacity: Capacity {
            entries: ENTRIES,
            bytes: 1 << 20,
        },
        ttl: None,
        max_share: None,
    };
    let cache = Cache::new(limits, host.load().expect("loads").eviction);
    (1..=100).for_each(|number| store(&cache, number));
    assert_eq!(cache.gauges().entries, ENTRIES);
    cache
}

#[test]
fn the_host_evicts_in_the_place_of_a_policy_that_breaks_off() {
    let cases = [
        ("on-insert", TRAP),
        ("on-insert", guests::GREEDY),
        ("on-hit", TRAP),
        ("on-remove", TRAP),
        ("victims", TRAP),
        ("victims", guests::ENDLESS),
        ("victims", guests::GIGABYTE),
    ];
    for (function, instructions) in cases {
        let component = guests::eviction_whose(function, instructions);
        let (_folder, host) = host(PluginKind::Eviction, &component);
        let cache = churned(&host);
        assert!(cache.host_evictions() > 0, "{function} {instructions}");
        let status = status(&host, PluginKind::Eviction);
        assert!(status.failures > 0, "{function} {instructions}");
    }
}

#[test]
fn useless_victims_are_passed_over_and_seen() {
    let none = "(return (i32.const 0))".to_owned();
    for victims in [guests::naming(u64::MAX), guests::naming(1), none] {
        let (_folder, host) = host(
            PluginKind::Eviction,
            &guests::eviction_whose("victims", &victims),
        );
        let cache = churned(&host);
        assert!(cache.host_evictions() > 0, "{victims}");
        let status = status(&host, PluginKind::Eviction);
        assert_eq!(status.breaker, BreakerState::Closed);
        assert_eq!(
            status.last_error.as_deref(),
            Some("it named too few victims")
        );
    }
}

#[test]
fn state_that_cannot_be_handed_over_costs_no_entry() {
    let cases = [("lru", "save"), ("save", "lru"), ("lru", "restore")];
    for (old, new) in cases {
        let folder = Folder::new();
        for name in ["save", "restore"] {
            folder.put(name, &guests::eviction_whose(name, TRAP));
        }
        let cache = churned(&folder.host("exact", old, "standard"));
        let successor = folder.host("exact", new, "standard");
        cache.replace_eviction(successor.load().expect("loads").eviction);
        assert_eq!(cache.gauges().entries, ENTRIES, "{old} {new}");
        (101..=200).for_each(|number| store(&cache, number));
    }
}

fn outcome() -> Outcome {
    Outcome {
        at_ms: 0,
        kind: OutcomeKind::Hit,
        first_us: 0,
        latency_us: 0,
        saved_ms: 0,
        prompt_tokens: 0,
        output_tokens: 0,
        bytes: 0,
    }
}

/// The report of a ledger over a stats component after some outcomes.
fn report(host: &PluginHost) -> Value {
    let ledger = Ledger::new(host.load().expect("loads").stats);
    (0..300).for_each(|_| ledger.record(outcome()));
    ledger.samples(&Gauges::default());
    ledger.report(&Gauges::default())
}

#[test]
fn the_host_reports_in_the_place_of_stats_that_fail() {
    let cases = [
        ("report", TRAP),
        ("report", guests::ENDLESS),
        ("report", guests::GIGABYTE),
        ("report", guests::NOT_JSON),
        ("fold", TRAP),
        ("samples", TRAP),
    ];
    for (function, instructions) in cases {
        let component = guests::stats_whose(function, instructions);
        let (_folder, host) = host(PluginKind::Stats, &component);
        assert_eq!(report(&host)["hits"], 300, "{function} {instructions}");
        let status = status(&host, PluginKind::Stats);
        assert!(status.failures > 0, "{function} {instructions}");
    }
}

#[test]
fn samples_that_are_not_numbers_are_left_out_and_seen() {
    let component = guests::stats_whose("samples", guests::NOT_A_NUMBER);
    let (_folder, host) = host(PluginKind::Stats, &component);
    assert_eq!(report(&host), json!({}), "the rest works");
    let ledger = Ledger::new(host.load().expect("loads").stats);
    for _ in 0..200 {
        ledger.record(outcome());
    }
    assert_eq!(ledger.samples(&Gauges::default()), []);
    let status = status(&host, PluginKind::Stats);
    assert_eq!((status.failures, status.breaker), (1, BreakerState::Closed));
}

#[test]
fn counters_go_on_after_stats_that_broke_off() {
    let folder = Folder::new();
    let host = folder.standard();
    let ledger = Ledger::new(host.load().expect("loads").stats);
    (0..3000).for_each(|_| ledger.record(outcome()));
    let (_folder, broken) = self::host(PluginKind::Stats, &guests::stats_whose("save", TRAP));
    ledger.replace(broken.load().expect("loads").stats);
    (0..300).for_each(|_| ledger.record(outcome()));
    ledger.report(&Gauges::default());
    ledger.replace(host.load().expect("loads").stats);
    let hits = ledger.report(&Gauges::default())["hits"].as_u64();
    assert!(
        hits >= Some(300),
        "what it did not save is counted anew: {hits:?}"
    );
}
