//! `deja bench`: what a server's cache does now, measured from outside.
//!
//! [`rounds`] asks new questions and asks them again, [`load`] asks at a given pace, [`verdict`]
//! says what it means.

mod ask;
mod cache_status;
mod load;
mod report;
mod request;
mod rounds;
mod series;
mod table;
mod target;
#[cfg(test)]
mod testing;
mod text;
mod traced;
mod verdict;

use deja_trace::RequestFile;
use futures_util::future::join_all;

pub use load::Steady;
pub use report::{
    Asked, LoadReport, PhaseReport, Report, ServerLoad, ServerReport, ShapeReport, Statistics,
};
pub use request::{Shape, System};
pub use rounds::{Phase, Settings};
pub use series::{Bucket, Spread, Summary};
pub use target::{Address, Target, TargetError};
pub use traced::Pace;
pub use verdict::{Cause, State, Verdict};

use crate::live::Live;
use load::Due;
use report::Watched;

/// Measures the servers side by side. `done` is called after each round.
pub async fn measure(targets: &[Target], settings: &Settings, done: impl Fn()) -> Report {
    let before = statistics(targets).await;
    let measured = rounds::run(targets, settings, done).await;
    let watched = watched(before, targets).await;
    Report::of(settings, targets, &measured, &watched)
}

/// Asks the servers at a steady rate, no more than `in_flight` requests at the same time.
pub async fn load(targets: &[Target], steady: Steady, in_flight: usize) -> LoadReport {
    under_load(targets, steady.schedule(targets), in_flight).await
}

/// Asks the servers what a trace asked.
pub async fn replay(
    targets: &[Target],
    files: Vec<RequestFile>,
    pace: Pace,
    in_flight: usize,
) -> LoadReport {
    let skipped = traced::Skipped::default();
    let records = files.into_iter().flat_map(|file| file.records());
    let schedule = traced::schedule(records, pace, targets.len(), skipped.clone());
    let mut report = under_load(targets, schedule, in_flight).await;
    report.skipped = skipped.count();
    report
}

async fn under_load(
    targets: &[Target],
    schedule: impl Iterator<Item = Due> + Send + 'static,
    in_flight: usize,
) -> LoadReport {
    let before = statistics(targets).await;
    let loaded = load::run(targets, schedule, in_flight).await;
    let watched = watched(before, targets).await;
    let servers = targets.iter().zip(&loaded).zip(&watched);
    LoadReport {
        servers: servers
            .map(|((target, loaded), watched)| ServerLoad::of(Asked::of(target), loaded, watched))
            .collect(),
        skipped: 0,
    }
}

/// What each server says of itself; nothing where it is not Deja.
async fn statistics(targets: &[Target]) -> Vec<Option<Live>> {
    let ask = async |target: &Target| Live::read(target.client(), target.url()).await.ok();
    join_all(targets.iter().map(ask)).await
}

async fn watched(before: Vec<Option<Live>>, targets: &[Target]) -> Vec<Watched> {
    before.into_iter().zip(statistics(targets).await).collect()
}
