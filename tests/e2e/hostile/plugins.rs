//! Plugins that do what they should not, under load: it costs misses, and is seen.

use std::{cell::Cell, path::Path};

use deja_guests::{self as guests, Edit, NOT_A_NUMBER, NOT_JSON};
use deja_tests::{Deja, built, deja_command, eventually, printed};

use crate::load::{API, ENTRIES, Load, plugin, refresh, server, swap};

const SETTINGS: &str = "[plugins]\ncall_timeout = \"100ms\"\nstart_timeout = \"300ms\"\n";

const TRAP: &str = "unreachable";

/// The question of a request.
const CONTENT: &str = "/messages/0/content";

/// MiB by which a server may have grown. It keeps buffers, and the allocator what it may need again.
const GROWTH: f64 = 16.0;

/// The standard plugin of each kind.
const STANDARD: [(&str, &str); 3] = [
    ("keyer", "exact"),
    ("eviction", "lru"),
    ("stats", "standard"),
];

/// Has a server endure something under load, and sees it as it was before once its plugins are good
/// again.
async fn survives(deja: &Deja, hostility: impl AsyncFnOnce()) {
    Load::during(deja, async |load| renew(deja, load, 1).await).await;
    let before = deja.resident();
    Load::during(deja, async |_| hostility().await).await;
    Load::during(deja, async |load| renew(deja, load, 2).await).await;
    let after = deja.resident();
    assert!(after < before + GROWTH, "{before} MiB became {after} MiB");
    deja.answer(API, "again").await;
    let (status, _) = deja.answer(API, "again").await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(deja.health().await["cache"]["cached_items"], ENTRIES);
}

/// Puts a good plugin in each place, and lets it work.
async fn renew(deja: &Deja, load: &Load<'_>, number: u8) {
    for (kind, name) in STANDARD {
        refresh(deja, kind, name, number).await;
    }
    load.answers(500).await;
}

/// Puts a hostile component in the place of a standard one, and waits until its failures show in
/// `/health`, `/metrics` and `deja plugin list`.
async fn endure(deja: &Deja, kind: &str, name: &str, component: &[u8]) {
    swap(deja, kind, name, component).await;
    let failures = format!("deja_plugin_failures_total{{plugin=\"{name}\"");
    let fails = async || {
        // Its report is asked for by `/health` alone, and may be good at first.
        deja.health().await;
        deja.sample(&failures).await > 0.0
    };
    eventually(&failures, fails).await;
    let health = deja.health().await;
    let status = plugin(&health, kind);
    assert!(status["failures"].as_u64() > Some(0), "{status}");
    let listed = listed(deja).await;
    assert!(listed.contains("last error: "), "{listed}");
}

/// What `deja plugin list` prints.
async fn listed(deja: &Deja) -> String {
    let arguments = ["plugin", "list", "--url", deja.url()];
    printed(&mut deja_command(&arguments, Path::new("."))).await
}

#[tokio::test]
async fn keyers_that_break_off_cost_misses() {
    let (_upstream, deja) = server(SETTINGS).await;
    survives(&deja, async || {
        for instructions in [
            TRAP,
            guests::ENDLESS,
            guests::GREEDY,
            guests::BOTTOMLESS,
            guests::HUGE_ANSWER,
            guests::CHATTY,
        ] {
            let component = guests::keyer_for_messages_that(instructions);
            endure(&deja, "keyer", "exact", &component).await;
        }
    })
    .await;
}

/// Has keyers ask for each of these lists of edits.
async fn edits_cost_misses(hostile: &[&[Edit<'_>]]) {
    let (_upstream, deja) = server(SETTINGS).await;
    survives(&deja, async || {
        for edits in hostile {
            endure(&deja, "keyer", "exact", &guests::keyer_that_edits(edits)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn edits_that_cannot_be_made_cost_misses() {
    let hostile: [&[Edit<'_>]; 8] = [
        &[Edit::Remove("/messages"), Edit::Remove("/messages/0")],
        &[Edit::Remove("/no/such/place")],
        &[Edit::Remove("messages")],
        &[Edit::Rewrite(CONTENT, 0, 1000)],
        &[Edit::Rewrite(CONTENT, 2, 1)],
        &[Edit::Rewrite(CONTENT, 1, 2)],
        &[Edit::Replace("/model", "\"other\"")],
        &[Edit::Replace("/messages", "[{")],
    ];
    edits_cost_misses(&hostile).await;
}

#[tokio::test]
async fn edits_below_the_floor_cost_misses() {
    let hostile: [&[Edit<'_>]; 6] = [
        &[Edit::Remove("/messages")],
        &[Edit::Replace("/messages", "[]")],
        &[Edit::Remove("/messages/0")],
        &[Edit::Remove(CONTENT)],
        &[Edit::Replace(CONTENT, "\"the same for all\"")],
        &[Edit::Rewrite(CONTENT, 0, 8)],
    ];
    edits_cost_misses(&hostile).await;
}

#[tokio::test]
async fn a_keyer_that_leaves_the_question_out_is_named_and_bypassed() {
    let (_upstream, deja) = server(SETTINGS).await;
    let keyer = guests::keyer_that_edits(&[Edit::Remove("/messages")]);
    swap(&deja, "keyer", "exact", &keyer).await;
    // Health tells of a keyer a moment before requests meet it.
    let is_met = async || deja.answer(API, "Where?").await.0.contains("fwd=bypass");
    eventually("the keyer", is_met).await;
    for question in ["Where is Rome?", "Where is Bonn?"] {
        let (status, text) = deja.answer(API, question).await;
        assert!(
            status.contains("fwd=bypass") && status.contains("`/messages` goes below the floor"),
            "{status}"
        );
        assert!(text.contains(question), "{text}");
    }
    let health = deja.health().await;
    let error = plugin(&health, "keyer")["last_error"].as_str();
    assert!(
        error.is_some_and(|error| error.contains("below the floor")),
        "{health}"
    );
}

#[tokio::test]
async fn an_open_floor_is_for_those_who_set_it_and_shows() {
    let open = "[[keyer]]\nplugin = \"exact\"\nfloor = \"open\"\n";
    let (upstream, deja) = server(open).await;
    let keyer = guests::keyer_that_edits(&[Edit::Remove("/messages")]);
    let (status, _) = deja.answer(API, "Where is Rome?").await;
    assert!(
        status.contains("fwd=miss") && status.ends_with("; floor=open"),
        "{status}"
    );
    swap(&deja, "keyer", "exact", &keyer).await;
    // The keyer takes all questions for one.
    let asked = Cell::new(0);
    let merges = async || {
        let question = format!("Where is {}?", asked.replace(asked.get() + 1));
        let (status, text) = deja.answer(API, &question).await;
        let is_hit = status.contains("hit") && status.ends_with("; floor=open");
        is_hit && !text.contains(&question)
    };
    eventually("answers to other questions", merges).await;
    assert_eq!(plugin(&deja.health().await, "keyer")["floor"], "open");
    deja.wait_for_log("may leave out anything of a request")
        .await;

    deja.setup().configure(&upstream.backend(API));
    let question = "Where is Oslo?";
    let is_held = async || {
        let (status, text) = deja.answer(API, question).await;
        status.contains("below the floor") && text.contains(question)
    };
    eventually("the floor", is_held).await;
    assert!(plugin(&deja.health().await, "keyer").get("floor").is_none());
}

#[tokio::test]
async fn a_keyer_that_always_fails_is_left_alone() {
    let (_upstream, deja) = server("[plugins]\nfirst_pause = \"1min\"\n").await;
    Load::during(&deja, async |load| {
        let component = guests::keyer_for_messages_that(TRAP);
        swap(&deja, "keyer", "exact", &component).await;
        let is_open = async || plugin(&deja.health().await, "keyer")["breaker"] == "open";
        eventually("the open breaker", is_open).await;
        load.answers(100).await;
    })
    .await;
    assert!(deja.sample("deja_plugin_left_alone{plugin=\"exact\"").await > 0.0);
    let listed = listed(&deja).await;
    assert!(listed.contains("open"), "{listed}");
    let (status, _) = deja.answer(API, "why?").await;
    assert!(status.contains("left alone"), "{status}");
}

#[tokio::test]
async fn hostile_eviction_policies_cost_misses() {
    let the_same = guests::naming(1);
    let nobody = guests::naming(u64::MAX);
    let (_upstream, deja) = server(SETTINGS).await;
    survives(&deja, async || {
        // It is found out only when it is replaced, and then it is not at work any more.
        let forgetful = guests::eviction_whose("save", TRAP);
        swap(&deja, "eviction", "lru", &forgetful).await;
        for (function, instructions) in [
            ("on-insert", TRAP),
            ("on-insert", guests::GREEDY),
            ("on-hit", TRAP),
            ("on-remove", TRAP),
            ("victims", TRAP),
            ("victims", guests::ENDLESS),
            ("victims", guests::GIGABYTE),
            ("victims", &the_same),
            ("victims", &nobody),
            ("victims", "(return (i32.const 0))"),
        ] {
            let component = guests::eviction_whose(function, instructions);
            endure(&deja, "eviction", "lru", &component).await;
        }
    })
    .await;
}

#[tokio::test]
async fn hostile_stats_are_stood_in_for() {
    let (_upstream, deja) = server(SETTINGS).await;
    survives(&deja, async || {
        for (function, instructions) in [
            // The first, as only a good predecessor leaves a state.
            ("restore", TRAP),
            ("fold", TRAP),
            ("fold", guests::GREEDY),
            ("report", TRAP),
            ("report", guests::ENDLESS),
            ("report", guests::GIGABYTE),
            ("report", NOT_JSON),
            ("samples", TRAP),
            ("samples", NOT_A_NUMBER),
            ("save", TRAP),
        ] {
            let component = guests::stats_whose(function, instructions);
            endure(&deja, "stats", "standard", &component).await;
            let cache = &deja.health().await["cache"];
            assert!(cache.is_object(), "{function} {instructions}: {cache}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_keyer_is_not_loaded() {
    let hostile = [
        (Vec::new(), "it is empty"),
        (b"hello, world".to_vec(), "it is not webassembly"),
        (guests::core_module(), "it is a core module"),
        (guests::empty_component(), "it does not export"),
        (built("sieve"), "it is of the kind eviction"),
        (guests::keyer_for("2.0.0"), "it is built for"),
        (guests::with_a_forbidden_import(), "it imports `clock`"),
        (guests::keyer_that_describes_by(TRAP), "in `describe`"),
        (
            guests::keyer_that_configures_by(TRAP),
            "in `configure`: wasm trap",
        ),
        (
            guests::keyer_that_configures_by(guests::ENDLESS),
            "in `configure`: no answer",
        ),
        (guests::keyer(TRAP), "its self-test"),
    ];
    let (_upstream, deja) = server(SETTINGS).await;
    survives(&deja, async || {
        for (component, reason) in hostile {
            is_refused(&deja, &component, reason).await;
        }
    })
    .await;
}

/// Drops a file in the place of a good keyer, which goes on, and sees the file refused in `/health`,
/// `/metrics` and `deja plugin list`.
async fn is_refused(deja: &Deja, component: &[u8], reason: &str) {
    deja.setup().drop_file("exact", component);
    let is_refused = async || {
        let health = deja.health().await;
        let rejected = plugin(&health, "keyer")["rejected"].as_str();
        rejected.is_some_and(|rejected| rejected.contains(reason))
    };
    eventually(reason, is_refused).await;
    assert!(deja.sample("deja_plugin_rejected{plugin=\"exact\"").await > 0.0);
    let listed = listed(deja).await;
    assert!(listed.contains(reason), "{listed}");
    assert_eq!(plugin(&deja.health().await, "keyer")["failures"], 0);
}
