//! What policies cost in WebAssembly, as servers run them, and what the same code costs natively.

#![allow(missing_docs, reason = "divan makes public functions")]

mod evictions;
mod keyers;
mod loading;
mod requests;
mod stats;

use std::path::{Path, PathBuf};

use deja_cache::Capacity;
use deja_policy::{Limits, PluginChoice, PluginHost, PluginSettings, Policies};

/// What the cache may hold.
const ENTRIES: u64 = 1000;

fn main() {
    divan::main();
}

fn policies(keyer: &str, eviction: &str) -> Policies {
    let settings = PluginSettings {
        cache_dir: None,
        dir: Some(dist()),
        keyers: vec![PluginChoice::new(keyer)],
        eviction: PluginChoice::new(eviction),
        stats: PluginChoice::new("standard"),
        capacity: Capacity {
            entries: ENTRIES,
            bytes: 1 << 30,
        },
        limits: Limits::default(),
    };
    PluginHost::new(settings)
        .and_then(|host| host.load())
        .expect("loads")
}

fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist")
}
