//! What is loaded, and what is refused and why.

use std::fs;
use std::time::Duration;

use deja_cache::{Gauges, Outcome, OutcomeKind};
use deja_policy::{PluginChoice, PluginKind};
use serde_json::json;

use crate::guests;
use crate::support::{Folder, built, chain, edited, edits, entry};

#[test]
fn the_standard_plugins_need_no_folder() {
    let folder = Folder::new();
    let host = folder.standard();
    let policies = host.load().expect("loads");
    assert_eq!(edits(&*policies.keyers[0]), 0);
    let status = host.status();
    let kinds: Vec<_> = status
        .iter()
        .map(|it| (it.kind, it.name.as_str(), it.calls))
        .collect();
    assert_eq!(
        kinds,
        [
            (PluginKind::Keyer, "exact", 1),
            (PluginKind::Eviction, "lru", 0),
            (PluginKind::Stats, "standard", 0),
        ]
    );
    assert!(
        status
            .iter()
            .all(|it| it.source == "built-in" && it.version == "0.1.0")
    );
    assert_eq!(status[0].blake3, blake3::hash(&built("exact")).to_string());
}

#[test]
fn the_standard_eviction_is_least_recently_used_and_hands_its_order_on() {
    let host = Folder::new().standard();
    let mut lru = host.load().expect("loads").eviction;
    for id in 1..=4 {
        lru.on_insert(&entry(id)).expect("inserts");
    }
    lru.on_hit(&[entry(1).id, entry(99).id]).expect("hits");
    let mut successor = host.load().expect("loads").eviction;
    assert!(
        successor
            .restore(&lru.save().expect("saves"))
            .expect("restores")
    );
    let victims = successor.victims(11, 1).expect("chooses");
    assert_eq!(victims, [entry(2).id, entry(3).id]);
    assert!(!successor.restore(b"nonsense").expect("answers"));
    assert_eq!(successor.victims(0, 1).expect("chooses"), [entry(2).id]);
}

#[test]
fn the_standard_stats_report_five_fields_first() {
    let outcome = |kind| Outcome {
        at_ms: 0,
        kind,
        first_us: 0,
        latency_us: 0,
        saved_ms: 0,
        prompt_tokens: 0,
        output_tokens: 0,
        bytes: 0,
    };
    let mut stats = Folder::new().standard().load().expect("loads").stats;
    let events = [
        OutcomeKind::Miss,
        OutcomeKind::Hit,
        OutcomeKind::Hit,
        OutcomeKind::Bypass,
    ];
    stats.fold(&events.map(outcome)).expect("folds");
    let report = stats
        .report(&Gauges {
            entries: 1,
            ..Gauges::default()
        })
        .expect("reports");
    let first = r#"{"hits":2,"misses":1,"total_requests":3,"hit_rate":"66.7%","cached_items":1,"#;
    assert!(report.to_string().starts_with(first), "{report}");
}

#[test]
fn a_file_wins_over_the_built_in_plugin_of_its_name() {
    let folder = Folder::new();
    let path = folder.put("exact", &built("ignore-case-and-space"));
    let (host, keyer) = folder.keyer("exact");
    let question = "What is the  capital of France?";
    assert_eq!(edited(&*keyer, question), "what is the capital of france?");
    let status = &host.status()[0];
    assert_eq!(status.component, "ignore-case-and-space");
    assert_eq!(status.source, path.display().to_string());
}

#[test]
fn identity_tells_code_and_settings_apart() {
    let folder = Folder::new();
    let exact = folder.keyer("exact").1.identity().to_owned();
    assert_eq!(
        exact,
        format!("exact@0.1.0 {} {{}}", blake3::hash(&built("exact")))
    );
    folder.put("exact", &guests::variant(&built("exact"), 1));
    assert_ne!(folder.keyer("exact").1.identity(), exact);
}

#[test]
fn what_is_no_keyer_is_refused_with_its_reason() {
    let trap = guests::keyer("unreachable");
    let cases: [(&str, Vec<u8>, &str); 15] = [
        ("text", b"hello, world".to_vec(), "it is not webassembly"),
        ("empty", Vec::new(), "it is empty"),
        (
            "module",
            guests::core_module(),
            "it is a core module, not a component",
        ),
        (
            "half",
            built("exact")[..9_000].to_vec(),
            "it is not a valid component: ",
        ),
        (
            "hollow",
            guests::empty_component(),
            "it does not export `deja:policy/plugin`",
        ),
        (
            "other-world",
            built("lru"),
            "`deja:policy/keyer`, as a plugin of this kind must (it is of the kind eviction)",
        ),
        (
            "later",
            guests::keyer_for("2.0.0"),
            "it is built for deja:policy@2.0.0, and this host speaks deja:policy@1.0.0",
        ),
        (
            "little-later",
            guests::keyer_for("1.1.0"),
            "it is built for deja:policy@1.1.0, and this host speaks deja:policy@1.0.0",
        ),
        (
            "greedy",
            guests::with_a_forbidden_import(),
            "it imports `clock`, which a plugin of this kind may not have",
        ),
        (
            "trap",
            trap,
            "it fails its self-test: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            "loop",
            guests::keyer("(loop $on (br $on))"),
            "it fails its self-test: no answer within 250ms",
        ),
        (
            "trap-in-describe",
            guests::keyer_that_describes_by("unreachable"),
            "it fails in `describe`: wasm trap",
        ),
        (
            "trap-in-configure",
            guests::keyer_that_configures_by("unreachable"),
            "it fails in `configure`: wasm trap",
        ),
        (
            "loop-in-configure",
            guests::keyer_that_configures_by("(loop $on (br $on))"),
            "it fails in `configure`: no answer within 300ms",
        ),
        (
            "long",
            vec![0; (1 << 20) + 1],
            "it has more than 1048576 bytes",
        ),
    ];
    let mut folder = Folder::new();
    folder.limits.deadline = Duration::from_millis(250);
    folder.limits.setup_deadline = Duration::from_millis(300);
    folder.limits.component_bytes = 1 << 20;
    for (name, component, reason) in cases {
        let path = folder.put(name, &component);
        let error = folder
            .host(name, "lru", "standard")
            .load()
            .err()
            .expect("is refused");
        let expected = format!(
            "keyer plugin `{name}` ({}) cannot be used: ",
            path.display()
        );
        let error = chain(&error);
        assert!(
            error.starts_with(&expected) && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn a_keyer_for_a_compatible_version_is_taken() {
    let folder = Folder::new();
    folder.put("newer", &guests::keyer_for("1.0.7"));
    assert_eq!(edits(&*folder.keyer("newer").1), 0);
}

#[test]
fn a_folder_is_no_plugin() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("exact.wasm")).expect("makes a folder");
    let error = folder.standard().load().err().expect("is refused");
    assert!(
        chain(&error).ends_with("cannot be used: it is not a file"),
        "{error}"
    );
}

#[test]
fn a_report_that_is_no_object_fails_the_self_test() {
    let folder = Folder::new();
    for (report, reason) in [("hits: 3", "is not JSON"), ("[]", "is not a JSON object")] {
        folder.put("odd", &guests::stats_that_report(report));
        let error = folder
            .host("exact", "lru", "odd")
            .load()
            .err()
            .expect("is refused");
        let error = chain(&error);
        assert!(
            error.contains("it fails its self-test") && error.contains(reason),
            "{error}"
        );
    }
    folder.put("odd", &guests::stats_that_report(r#"{"hits":3}"#));
    let mut stats = folder
        .host("exact", "lru", "odd")
        .load()
        .expect("loads")
        .stats;
    assert_eq!(
        stats.report(&Gauges::default()).expect("reports"),
        json!({"hits": 3})
    );
}

#[test]
fn unknown_settings_are_refused_by_name() {
    let config = json!({"mask_date": true});
    let choice = PluginChoice {
        config,
        ..PluginChoice::new("exact")
    };
    let host = Folder::new().host_with(choice, "lru", "standard");
    assert_eq!(
        chain(&host.load().err().expect("is refused")),
        "keyer plugin `exact` (built-in) cannot be used: \
         it refuses its settings: unknown setting `mask_date`; this plugin has none"
    );
}

#[test]
fn every_eviction_policy_evicts_and_hands_its_state_over() {
    for name in ["fifo", "gdsf", "lru", "s3-fifo", "sieve", "w-tinylfu"] {
        let host = Folder::new().host("exact", name, "standard");
        let load = || host.load().expect("loads").eviction;
        let (mut old, mut new) = (load(), load());
        for id in 1..=3 {
            old.on_insert(&entry(id)).expect("inserts");
        }
        let state = old.save().expect("saves");
        assert!(new.restore(&state).expect("restores"), "{name}");
        let victims = old.victims(0, 2).expect("chooses");
        assert_eq!(victims.len(), 2, "{name}");
        assert_eq!(new.victims(0, 2).expect("chooses"), victims, "{name}");
    }
}

#[test]
fn a_name_without_a_plugin_is_refused() {
    let folder = Folder::new();
    let error = folder
        .host("exact", "random", "standard")
        .load()
        .err()
        .expect("is refused");
    let dir = folder.path();
    assert_eq!(
        error.to_string(),
        format!(
            "eviction plugin `random` is neither built in (claude-code, codex, exact, fifo, \
             gdsf, ignore-fields, lru, normalise-text, s3-fifo, sampling, sieve, standard, \
             w-tinylfu) nor a file `random.wasm` in {}",
            dir.display()
        )
    );
    let error = folder
        .host("../exact", "lru", "standard")
        .load()
        .err()
        .expect("is refused");
    assert!(
        error
            .to_string()
            .starts_with("`../exact` cannot be a keyer plugin's name"),
        "{error}"
    );
}
