//! `deja plugin test`: a policy at work, through the host that servers use.

mod eviction;
mod hand_over;
mod keyer;
mod keyer_report;
mod recorded;
mod simulation;
mod stats;
mod times;
mod workload;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use deja_policy::{Inspector, Limits, PluginKind};

use super::settings::Settings;

/// How long a call may take. Its time is told, and where a machine is busy that is no fault of the
/// policy's.
const PATIENCE: Duration = Duration::from_secs(10);

/// The policy, and what it is asked about.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The policy's component.
    file: PathBuf,
    /// Recorded requests: a trace of Deja's own, a file with one request a line, or a folder of
    /// `.json` files, each with one body or with one exchange, `{"request": {"url": …,
    /// "headers": …, "body": …}}`. A keyer needs them; an eviction policy sees them come in by their
    /// order, and made-up ones without them.
    #[arg(long, value_name = "TRACE")]
    requests: Option<PathBuf>,
    /// The policy's settings: a JSON object, or a file with one in JSON or TOML.
    #[arg(long, value_name = "JSON|FILE")]
    config: Option<Settings>,
    /// How often each recorded request comes.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: u32,
}

/// Prints what the policy does. One that a server should not run is an error.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { file, rounds, .. } = arguments;
    let config = arguments.config.clone().unwrap_or_default().0;
    let inspector = Inspector::new(Limits {
        deadline: PATIENCE,
        ..Limits::default()
    })?;
    let untested = || format!("{} cannot be tested", file.display());
    let recorded = arguments.requests.as_deref().map(recorded::read);
    let recorded = recorded.transpose()?;
    match inspector.kind(file).with_context(untested)? {
        PluginKind::Keyer => {
            let recorded = recorded.context("a keyer needs `--requests`")?;
            let requests: Vec<_> = recorded.iter().map(recorded::asked).collect();
            let keyer = inspector.keyer(file, &config).with_context(untested)?;
            keyer::run(keyer, &requests, *rounds)
        }
        PluginKind::Eviction => {
            let workload = match recorded {
                Some(recorded) => workload::recorded(&recorded, *rounds),
                None => workload::made_up(),
            };
            let open = |capacity| inspector.eviction(file, &config, capacity);
            eviction::run(open, &workload).with_context(untested)
        }
        PluginKind::Stats => {
            let open = || inspector.stats(file, &config);
            stats::run(open).with_context(untested)
        }
    }
}
