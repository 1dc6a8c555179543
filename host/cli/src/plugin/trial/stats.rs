//! A stats component over what might have become of requests.

use std::fmt::{self, Display, Formatter};

use anyhow::bail;
use bytesize::ByteSize;
use deja_cache::{Gauges, Outcome, OutcomeKind, PolicyError, Sample, Stats};
use deja_policy::{Problem, WasmStats};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::Value;

use super::{hand_over::HandOver, times::Times};

const OUTCOMES: u64 = 10_000;

/// Outcomes that are told in one call, as by a server.
const BATCH: usize = 64;

/// How often the report is asked for.
const REPORTS: usize = 100;

/// Milliseconds from one outcome to the next: all take a quarter of an hour.
const PACE_MS: u64 = 90;

/// What a stats component made of the outcomes.
struct Findings {
    folds: Times,
    reports: Times,
    /// The fields of its report.
    fields: usize,
    samples: usize,
    /// Bytes of memory that it holds in the end.
    memory_bytes: usize,
    /// Whether another instance reports the same.
    deterministic: bool,
    hand_over: HandOver,
    /// What was wrong with its answers, if anything.
    fault: Option<String>,
}

/// Prints what a component makes of the outcomes. `open` makes one of it.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(super) fn run(open: impl Fn() -> Result<WasmStats, Problem>) -> anyhow::Result<()> {
    let findings = try_out(open)?;
    print!("{findings}");
    match findings.fault {
        Some(fault) => bail!("its answers are of no use: {fault}"),
        None => Ok(()),
    }
}

fn try_out(open: impl Fn() -> Result<WasmStats, Problem>) -> anyhow::Result<Findings> {
    let outcomes = made_up();
    let (before, after) = outcomes.split_at(outcomes.len() / 2);
    let mut first = Account::of(open()?);
    first.fold(before)?;
    first.fold(after)?;
    let reported = first.report()?;
    for _ in 1..REPORTS {
        first.report()?;
    }
    let mut again = Account::of(open()?);
    again.fold(&outcomes)?;
    Ok(Findings {
        deterministic: again.report()? == reported,
        hand_over: hand_over(open()?, open()?, [before, after], &reported)?,
        fields: reported.0.as_object().map_or(0, serde_json::Map::len),
        samples: reported.1.len(),
        memory_bytes: first.stats.memory_bytes(),
        fault: first.stats.last_error(),
        folds: first.folds,
        reports: first.reports,
    })
}

/// Half of the outcomes go to one instance and the rest to another, which takes the state over.
fn hand_over(
    predecessor: WasmStats,
    mut successor: WasmStats,
    [before, after]: [&[Outcome]; 2],
    expected: &Report,
) -> Result<HandOver, PolicyError> {
    let mut account = Account::of(predecessor);
    account.fold(before)?;
    if !successor.restore(&account.stats.save()?)? {
        return Ok(HandOver::Refused);
    }
    let mut account = Account::of(successor);
    account.fold(after)?;
    Ok(HandOver::taken(account.report()? == *expected))
}

/// What is shown under `/health` and `/metrics`.
type Report = (Value, Vec<Sample>);

/// A component at work.
struct Account {
    stats: WasmStats,
    folds: Times,
    reports: Times,
}

impl Account {
    fn of(stats: WasmStats) -> Self {
        Self {
            stats,
            folds: Times::default(),
            reports: Times::default(),
        }
    }

    fn fold(&mut self, outcomes: &[Outcome]) -> Result<(), PolicyError> {
        let mut batches = outcomes.chunks(BATCH);
        batches.try_for_each(|batch| self.folds.of(|| self.stats.fold(batch)))
    }

    fn report(&mut self) -> Result<Report, PolicyError> {
        let gauges = Gauges {
            at_ms: OUTCOMES * PACE_MS,
            entries: 100,
            bytes: 1 << 20,
            capacity_entries: 1000,
            capacity_bytes: 1 << 30,
            evictions: 7,
        };
        let report = self.reports.of(|| self.stats.report(&gauges))?;
        Ok((report, self.stats.samples(&gauges)?))
    }
}

/// Outcomes of all kinds. The same ones every time.
fn made_up() -> Vec<Outcome> {
    let mut random = SmallRng::seed_from_u64(0);
    let outcome = |number| {
        let kind = KINDS[random.random_range(0..KINDS.len())];
        let first_us = match kind {
            OutcomeKind::Hit => random.random_range(50..1_000),
            _ => random.random_range(10_000..2_000_000),
        };
        Outcome {
            at_ms: number * PACE_MS,
            kind,
            first_us,
            latency_us: first_us * random.random_range(1..20),
            saved_ms: match kind {
                OutcomeKind::Hit => random.random_range(50..5_000),
                _ => 0,
            },
            prompt_tokens: random.random_range(10..20_000),
            output_tokens: random.random_range(1..2_000),
            bytes: random.random_range(10..10_000),
        }
    };
    (0..OUTCOMES).map(outcome).collect()
}

const KINDS: [OutcomeKind; 5] = [
    OutcomeKind::Hit,
    OutcomeKind::Miss,
    OutcomeKind::Coalesced,
    OutcomeKind::Bypass,
    OutcomeKind::Error,
];

impl Display for Findings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "outcomes       {OUTCOMES}, {BATCH} in a call")?;
        let Self { folds, reports, .. } = self;
        writeln!(f, "fold           {folds}")?;
        writeln!(f, "report         {reports}")?;
        let Self {
            fields, samples, ..
        } = self;
        writeln!(
            f,
            "reported       {fields} fields of JSON, {samples} samples"
        )?;
        let memory = ByteSize::b(self.memory_bytes as u64);
        writeln!(f, "memory         {memory}")?;
        let deterministic = if self.deterministic {
            "yes"
        } else {
            "no: another instance reports otherwise"
        };
        writeln!(f, "deterministic  {deterministic}")?;
        writeln!(f, "hand-over      {}", self.hand_over)
    }
}
