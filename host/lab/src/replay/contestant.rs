//! What takes part in a replay: eviction policies, the host's own order, and the bounds.

use std::time::Duration;

use deja_cache::Capacity;
use deja_policy::EvictionPlugin;

use super::{
    belady::Belady,
    measure::{Measured, measure},
    simulator::{HostOrder, Simulator},
    workload::Workload,
};

/// The name of the host's own order among the policies.
pub const HOST: &str = "host";

/// What chooses who leaves.
pub(super) enum Contestant {
    /// A component, as it serves.
    Plugin {
        name: String,
        plugin: EvictionPlugin,
    },
    /// The host's own order: least recently used first.
    Host,
    /// Who knows the future.
    Belady,
    /// Nobody: all is kept.
    Infinite,
}

/// The conditions of one run.
pub(super) struct Conditions {
    pub(super) capacity: Capacity,
    pub(super) ttl: Option<Duration>,
    pub(super) warmup: usize,
    /// Whether the single hits are looked at later.
    pub(super) keep_hits: bool,
}

impl Contestant {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Plugin { name, .. } => name,
            Self::Host => HOST,
            Self::Belady => "belady",
            Self::Infinite => "infinite",
        }
    }

    /// What makes it choose as it does.
    pub(super) fn identity(&self) -> &str {
        match self {
            Self::Plugin { plugin, .. } => plugin.identity(),
            Self::Host | Self::Belady | Self::Infinite => self.name(),
        }
    }

    /// Whether it says what can be reached at best.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self, Self::Belady | Self::Infinite)
    }

    pub(super) fn run(&self, workload: &Workload, conditions: &Conditions) -> Measured {
        let Conditions {
            capacity,
            ttl,
            warmup,
            keep_hits,
        } = *conditions;
        let simulator = |eviction| Simulator::new(workload, eviction, capacity, ttl);
        match self {
            Self::Plugin { plugin, .. } => {
                let mut simulator = simulator(plugin.start(capacity));
                measure(&mut simulator, workload, warmup, keep_hits)
            }
            Self::Host | Self::Infinite => {
                let mut simulator = simulator(Box::new(HostOrder));
                measure(&mut simulator, workload, warmup, keep_hits)
            }
            Self::Belady => {
                let mut belady = Belady::new(workload, capacity, ttl);
                measure(&mut belady, workload, warmup, keep_hits)
            }
        }
    }
}
