//! Runs every combination of keyers, eviction policies and capacities over a trace.

use std::{collections::BTreeMap, io, path::PathBuf, time::Duration};

use deja_cache::{Capacity, KeyerChain};
use deja_policy::{PluginChoice, PluginError, PluginLibrary};
use deja_trace::{Digest, ReadOptions, Trace};
use rayon::prelude::*;

use super::{
    archive::Archive,
    asked::Asked,
    contestant::{Conditions, Contestant, HOST},
    measure::Measured,
    merges::{merge_hits, noise},
    results::{Cell, FORMAT, Results, Settings, limit},
    source::{self, Source, SourceError, TraceFacts},
    workload::Workload,
};

/// Sizes that are tried where none is named: this many halvings of all that could be held.
const HALVINGS: u32 = 7;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The trace.
    pub trace: PathBuf,
    /// How it is read.
    pub read: ReadOptions,
    /// Keyers, each a chain of plugins. None: `exact`, where the trace holds requests.
    pub keyers: Vec<Vec<PluginChoice>>,
    /// Eviction policies; one without settings of the name [`HOST`] is the host's own order.
    pub evictions: Vec<PluginChoice>,
    /// Capacities. None: some that suit the trace.
    pub capacities: Vec<Capacity>,
    /// How long an answer stays good; for ever if not set.
    pub ttl: Option<Duration>,
    /// What is not counted.
    pub warmup: Warmup,
    /// What chance begins with.
    pub seed: u64,
    /// Runs at a time; as many as there are processors if not set.
    pub jobs: Option<usize>,
    /// Where finished runs are kept.
    pub out: Option<PathBuf>,
}

/// How many requests at the beginning are not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warmup {
    /// This many.
    Requests(u64),
    /// This share of all, from 0 to 1.
    Share(f64),
}

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The trace is of no use.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A policy cannot be used.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Nothing is left to be counted.
    #[error("the warm-up of {warmup} requests leaves none of {requests} to be counted")]
    NothingCounted {
        /// Requests that are not counted.
        warmup: u64,
        /// Requests that there are.
        requests: u64,
    },
    /// The threads do not start.
    #[error("the threads of the replay do not start")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A finished run cannot be kept.
    #[error("a finished run cannot be kept")]
    Keep(#[from] io::Error),
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs that are finished.
    pub finished: usize,
    /// All runs.
    pub all: usize,
}

/// Runs all that is planned. `progress` is told of every run that is finished.
pub fn replay(
    plan: &Plan,
    library: &PluginLibrary,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Results, ReplayError> {
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(plan.jobs.unwrap_or_default())
        .build()?;
    threads.install(|| Experiment::prepare(plan, library)?.run(progress))
}

/// A plan, and all that it takes.
struct Experiment {
    trace: TraceFacts,
    source: Source,
    settings: Settings,
    ttl: Option<Duration>,
    contestants: Vec<Contestant>,
    arms: Vec<Arm>,
    capacities: Vec<Capacity>,
    policies: BTreeMap<String, String>,
    archive: Option<Archive>,
}

/// A keyer, and what the trace is under its keys.
struct Arm {
    keyer: Option<String>,
    workload: Workload,
    digest: Digest,
}

impl Experiment {
    fn prepare(plan: &Plan, library: &PluginLibrary) -> Result<Self, ReplayError> {
        let mut policies = BTreeMap::new();
        let contestants = contestants(plan, library, &mut policies)?;
        let trace = deja_trace::open(&plan.trace, &plan.read).map_err(SourceError::from)?;
        let (names, keyers) = keyers(plan, &trace, library, &mut policies)?;
        let (source, trace) = source::read(&plan.trace, trace, &keyers)?;
        let settings = Settings {
            ttl_ms: plan.ttl.map(milliseconds),
            warmup_requests: plan.warmup.requests(trace.requests)?,
            seed: plan.seed,
        };
        let capacities = match &plan.capacities[..] {
            [] => suitable(&trace),
            capacities => capacities.to_vec(),
        };
        let (source, arms) = arms(source, &names);
        Ok(Self {
            archive: plan.out.as_deref().map(Archive::open).transpose()?,
            trace,
            source,
            settings,
            ttl: plan.ttl,
            contestants,
            arms,
            capacities,
            policies,
        })
    }

    fn run(self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Results, ReplayError> {
        let runs = self.runs();
        let finished = std::sync::atomic::AtomicUsize::new(0);
        let all = runs.len();
        let cells = runs.par_iter().map(|run| {
            let cell = self.cell(run)?;
            let finished = finished.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            progress(Progress { finished, all });
            Ok(cell)
        });
        let cells = cells.collect::<Result<_, ReplayError>>()?;
        let noise = match &self.source {
            Source::Requests(asked) => Some(noise(asked)),
            Source::Keys(_) => None,
        };
        Ok(Results {
            format: FORMAT,
            deja: env!("CARGO_PKG_VERSION").to_owned(),
            trace: self.trace,
            settings: self.settings,
            policies: self.policies,
            noise,
            cells,
        })
    }

    /// All combinations. What keeps all has one size only.
    fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for arm in 0..self.arms.len() {
            for (contestant, what) in self.contestants.iter().enumerate() {
                let capacities = match what {
                    Contestant::Infinite => &[UNLIMITED],
                    _ => &self.capacities[..],
                };
                runs.extend(capacities.iter().map(|&capacity| Run {
                    arm,
                    contestant,
                    capacity,
                }));
            }
        }
        runs
    }

    fn cell(&self, run: &Run) -> Result<Cell, ReplayError> {
        let digest = self.digest(run);
        let archive = self.archive.as_ref();
        let found = archive.and_then(|archive| archive.find(digest));
        if let Some(cell) = found {
            return Ok(self.named(run, cell));
        }
        let (arm, contestant) = (&self.arms[run.arm], &self.contestants[run.contestant]);
        let conditions = Conditions {
            capacity: run.capacity,
            ttl: self.ttl,
            warmup: usize::try_from(self.settings.warmup_requests).unwrap_or(usize::MAX),
            keep_hits: matches!(self.source, Source::Requests(_)),
        };
        let measured = contestant.run(&arm.workload, &conditions);
        let cell = self.told(run, measured);
        if let Some(archive) = archive {
            archive.keep(digest, &cell)?;
        }
        Ok(cell)
    }

    fn told(&self, run: &Run, measured: Measured) -> Cell {
        let contestant = &self.contestants[run.contestant];
        let merges = match &self.source {
            Source::Requests(asked) => {
                let seed = self.settings.seed;
                Some(merge_hits(asked, run.arm, &measured.hits, seed))
            }
            Source::Keys(_) => None,
        };
        Cell {
            keyer: self.arms[run.arm].keyer.clone(),
            eviction: contestant.name().to_owned(),
            bound: contestant.is_bound(),
            entries: limit(run.capacity.entries),
            bytes_limit: limit(run.capacity.bytes),
            hit_rate: measured.counts.hit_rate(),
            byte_hit_rate: measured.counts.byte_hit_rate(),
            counts: measured.counts,
            merges,
            windows: measured.windows,
            requests_per_second: measured.requests_per_second,
        }
    }

    /// A run of before under the names of today: the same policy may have another.
    fn named(&self, run: &Run, cell: Cell) -> Cell {
        Cell {
            keyer: self.arms[run.arm].keyer.clone(),
            eviction: self.contestants[run.contestant].name().to_owned(),
            ..cell
        }
    }

    /// The digest of all that a run's result depends on.
    fn digest(&self, run: &Run) -> Digest {
        let Capacity { entries, bytes } = run.capacity;
        let Settings {
            ttl_ms,
            warmup_requests,
            seed,
        } = self.settings;
        let settings = format!("{FORMAT} {entries} {bytes} {ttl_ms:?} {warmup_requests} {seed}");
        Digest::of_parts([
            &self.arms[run.arm].digest.as_bytes()[..],
            self.contestants[run.contestant].identity().as_bytes(),
            env!("CARGO_PKG_VERSION").as_bytes(),
            settings.as_bytes(),
        ])
    }
}

/// One combination, by the places of its parts.
struct Run {
    arm: usize,
    contestant: usize,
    capacity: Capacity,
}

const UNLIMITED: Capacity = Capacity {
    entries: u64::MAX,
    bytes: u64::MAX,
};

impl Warmup {
    fn requests(self, all: u64) -> Result<u64, ReplayError> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of a count, where one more or less is nothing"
        )]
        let warmup = match self {
            Self::Requests(requests) => requests,
            Self::Share(share) => (share * all as f64) as u64,
        };
        if warmup >= all {
            let requests = all;
            return Err(ReplayError::NothingCounted { warmup, requests });
        }
        Ok(warmup)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn contestants(
    plan: &Plan,
    library: &PluginLibrary,
    policies: &mut BTreeMap<String, String>,
) -> Result<Vec<Contestant>, PluginError> {
    let mut contestants = Vec::new();
    for choice in &plan.evictions {
        if choice.name == HOST {
            contestants.push(Contestant::Host);
            continue;
        }
        let (name, plugin) = (label(choice), library.eviction(choice)?);
        policies.insert(name.clone(), plugin.identity().to_owned());
        contestants.push(Contestant::Plugin { name, plugin });
    }
    contestants.extend([Contestant::Belady, Contestant::Infinite]);
    Ok(contestants)
}

/// The keyers' names, and what they are. A trace of keys has none.
fn keyers(
    plan: &Plan,
    trace: &Trace,
    library: &PluginLibrary,
    policies: &mut BTreeMap<String, String>,
) -> Result<(Vec<String>, Vec<KeyerChain>), ReplayError> {
    let holds_requests = matches!(trace, Trace::Requests(_));
    let exact = [vec![PluginChoice::new("exact")]];
    let chosen = match &plan.keyers[..] {
        [] if holds_requests => &exact[..],
        [_, ..] if !holds_requests => return Err(SourceError::NoRequests.into()),
        chosen => chosen,
    };
    let mut chains = (Vec::new(), Vec::new());
    for chain in chosen {
        let mut keyers = Vec::new();
        for choice in chain {
            let keyer = library.keyer(choice)?;
            policies.insert(label(choice), keyer.identity().to_owned());
            keyers.push(keyer);
        }
        let names: Vec<_> = chain.iter().map(label).collect();
        chains.0.push(names.join("+"));
        chains.1.push(KeyerChain::new(keyers));
    }
    Ok(chains)
}

/// What a plugin is called in tables.
fn label(choice: &PluginChoice) -> String {
    let name = choice.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(".wasm").unwrap_or(name);
    match &choice.config {
        serde_json::Value::Null => name.to_owned(),
        config => format!("{name}={config}"),
    }
}

fn arms(source: Source, names: &[String]) -> (Source, Vec<Arm>) {
    match source {
        Source::Keys(workload) => {
            let arm = Arm {
                keyer: None,
                digest: workload.digest(),
                workload,
            };
            (Source::Keys(Workload::default()), vec![arm])
        }
        Source::Requests(asked) => {
            let arm = |(number, name): (usize, &String)| {
                let workload = Workload::of_asked(&asked, number);
                let digests = [workload.digest(), Asked::digest(&asked)];
                Arm {
                    keyer: Some(name.clone()),
                    digest: Digest::of_parts(digests.iter().map(|digest| &digest.as_bytes()[..])),
                    workload,
                }
            };
            let arms = names.iter().enumerate().map(arm).collect();
            (Source::Requests(asked), arms)
        }
    }
}

/// Numbers of entries from all distinct requests down, halved again and again.
fn suitable(trace: &TraceFacts) -> Vec<Capacity> {
    let halved = (0..=HALVINGS).rev().map(|times| trace.distinct >> times);
    let mut entries: Vec<_> = halved.map(|entries| entries.max(1)).collect();
    entries.dedup();
    let bytes = u64::MAX;
    let capacity = |entries| Capacity { entries, bytes };
    entries.into_iter().map(capacity).collect()
}
