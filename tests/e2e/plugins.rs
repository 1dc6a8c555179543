//! Policies are swapped while the server runs.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use deja_tests::{Deja, QUESTION, Setup, question, variant};
use serde_json::Value;

use crate::load::plugin;

const LOWER_CASE: &str = "What is the  capital of france?";

fn is_from_file(health: &Value, kind: &str) -> bool {
    plugin(health, kind)["source"] != "built-in"
}

#[tokio::test]
async fn a_component_of_the_same_name_takes_over_and_no_request_is_lost() {
    let deja = Deja::start().await;
    deja.ask(&question(QUESTION)).await;
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = async {
        while !stop.load(Ordering::Relaxed) {
            let (_, answer) = deja.ask(&question(QUESTION)).await;
            assert_eq!(deja_tests::text(&answer), "The capital of France is Paris.");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let swap = async {
        deja.setup().drop_plugin("ignore-case-and-space", "exact");
        deja.wait_for("the new keyer", |health| is_from_file(health, "keyer"))
            .await;
        let seen = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < seen + 50 {
            tokio::task::yield_now().await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, swap);
    let (status, _) = deja.ask(&question(LOWER_CASE)).await;
    assert!(status.contains("hit"), "{status}");
}

#[tokio::test]
async fn a_keyer_counts_once_it_is_dropped_in_and_configured() {
    let deja = Deja::start().await;
    deja.ask(&question(QUESTION)).await;
    let lower_case_hits = async || deja.ask(&question(LOWER_CASE)).await.0.contains("hit");

    deja.setup()
        .drop_plugin("ignore-case-and-space", "ignore-case-and-space");
    assert!(!lower_case_hits().await, "nobody asked for it yet");

    deja.setup()
        .configure("[[keyer]]\nplugin = \"ignore-case-and-space\"\n");
    deja.wait_for("the configured keyer", |health| {
        plugin(health, "keyer")["name"] == "ignore-case-and-space"
    })
    .await;
    deja.ask(&question(QUESTION)).await;
    assert!(lower_case_hits().await);
}

#[tokio::test]
async fn entries_and_counts_survive_new_eviction_and_stats_components() {
    let deja = Deja::start().await;
    deja.ask(&question(QUESTION)).await;
    deja.setup().drop_file("lru", &variant("lru", 1));
    deja.setup().drop_file("standard", &variant("standard", 1));
    deja.wait_for("both files", |health| {
        is_from_file(health, "eviction") && is_from_file(health, "stats")
    })
    .await;
    let (status, _) = deja.ask(&question(QUESTION)).await;
    assert!(status.contains("hit"), "{status}");
    let report = &deja.health().await["cache"];
    assert_eq!(
        (&report["hits"], &report["misses"]),
        (&1.into(), &1.into()),
        "{report}"
    );
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_shown() {
    let deja = Deja::start().await;
    deja.ask(&question(QUESTION)).await;
    deja.setup().drop_file("exact", b"not a component");
    let health = deja
        .wait_for("the rejection", |health| {
            plugin(health, "keyer")["rejected"].is_string()
        })
        .await;
    assert_eq!(plugin(&health, "keyer")["source"], "built-in");
    let (status, _) = deja.ask(&question(QUESTION)).await;
    assert!(status.contains("hit"), "{status}");
}

#[tokio::test]
async fn the_eviction_component_chooses_what_leaves() {
    let deja = Setup::new("[cache]\nmax_entries = 2\n").start().await;
    let ask = async |word: &str| {
        let mut request = question(&format!("Say {word}."));
        request["max_tokens"] = 2.into();
        deja.ask(&request).await.0.contains("hit")
    };
    assert!(!ask("one").await && !ask("two").await && ask("one").await && !ask("three").await);
    assert!(ask("one").await, "it was used last before three came");
    assert!(!ask("two").await, "it left for three");
    assert_eq!(deja.health().await["cache"]["cached_items"], 2);
}

#[tokio::test]
async fn a_deleted_file_does_not_unload() {
    let setup = Setup::new("");
    setup.drop_plugin("ignore-case-and-space", "exact");
    let deja = setup.start().await;
    deja.ask(&question(QUESTION)).await;
    fs::remove_file(deja.setup().plugins().join("exact.wasm")).expect("the file is there");
    let (status, _) = deja.ask(&question(LOWER_CASE)).await;
    assert!(status.contains("hit"), "{status}");
}
