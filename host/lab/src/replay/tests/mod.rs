//! Whole replays, with the components that serve.

mod keyers;
mod page;
mod sweep;

use std::{
    fs,
    path::{Path, PathBuf},
};

use deja_cache::Capacity;
use deja_policy::{Limits, PluginChoice, PluginLibrary};
use deja_trace::ReadOptions;

use super::{Plan, ReplayError, Results, Warmup, replay};

/// A folder with a trace in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(name: &str, trace: &str) -> (Self, Plan) {
        let folder = Self(tempfile::tempdir().expect("there is room"));
        let path = folder.path().join(name);
        fs::write(&path, trace).expect("there is room");
        let plan = plan(path);
        (folder, plan)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A plan for this trace, with the host's own order only.
fn plan(trace: PathBuf) -> Plan {
    Plan {
        trace,
        read: ReadOptions::default(),
        keyers: Vec::new(),
        evictions: vec![PluginChoice::new("host")],
        capacities: Vec::new(),
        ttl: None,
        warmup: Warmup::Requests(0),
        seed: 1,
        jobs: Some(2),
        out: None,
    }
}

fn run(plan: &Plan) -> Result<Results, ReplayError> {
    let library = PluginLibrary::new(Limits::default(), None, None).expect("it starts");
    replay(plan, &library, &|_| {})
}

fn entries(sizes: &[u64]) -> Vec<Capacity> {
    let bytes = u64::MAX;
    let capacity = |&entries| Capacity { entries, bytes };
    sizes.iter().map(capacity).collect()
}

/// The hits of a policy, the smallest cache first.
fn hits(results: &Results, eviction: &str) -> Vec<u64> {
    let cells = results.cells.iter();
    let cells = cells.filter(|cell| cell.eviction == eviction);
    cells.map(|cell| cell.counts.hits).collect()
}

/// The results without what differs from run to run and from place to place, or with the size of
/// an entry.
fn lasting(mut results: Results) -> Results {
    let trace = &mut results.trace;
    trace.path = "trace".to_owned();
    if trace.knows_sizes() {
        trace.distinct_bytes = 1 << 10;
    }
    for cell in &mut results.cells {
        cell.requests_per_second = 1.0;
        cell.byte_hit_rate = cell.hit_rate;
    }
    results
}
