//! What Deja adds and what it saves as a server: hits beside nginx and beside hyper alone, with and
//! without a log, misses beside the upstream alone, memory, and answers while plugins are swapped. In
//! one run, on loopback.
//!
//! `cargo xtask bench serve` runs it; `-- hits` at its end runs one part.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

mod bodies;
mod ceiling;
mod hits;
mod load;
mod memory;
mod misses;
mod nginx;
mod plain;
mod reload;
mod report;
mod server;
mod upstream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::upstream::Upstream;

/// Files that a process has to have open for the connections here.
const OPEN_FILES: u64 = 8192;

#[tokio::main]
async fn main() {
    allow_open_files();
    let parts: Vec<_> = std::env::args()
        .skip(1)
        .filter(|part| part != "--bench")
        .collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);

    let upstream = Upstream::start().await;
    let mut comparisons = Vec::new();
    if is_wanted("hits") {
        comparisons.extend(hits::measure(&upstream).await);
    }
    if is_wanted("ceiling") {
        comparisons.extend(ceiling::measure(&upstream).await);
    }
    if is_wanted("misses") {
        comparisons.extend(misses::measure(&upstream).await);
    }
    if is_wanted("memory") {
        comparisons.extend(memory::measure(&upstream).await);
    }
    if is_wanted("reload") {
        comparisons.extend(reload::measure(&upstream).await);
    }
    report::print(&comparisons);
}

/// Raises this process's limit, and so that of its children, where the system has set it lower.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let at_most = limit.maximum.unwrap_or(OPEN_FILES);
    if limit.current.is_some_and(|current| current < OPEN_FILES) {
        let raised = Rlimit {
            current: Some(at_most.min(OPEN_FILES)),
            ..limit
        };
        setrlimit(Resource::Nofile, raised).expect("the limit may be raised");
    }
}
