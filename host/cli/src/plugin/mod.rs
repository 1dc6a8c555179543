//! `deja plugin`: for those who write policies, and for those who run them.

mod build;
mod check;
mod list;
mod new;
mod settings;
mod template;
mod trial;

use clap::Subcommand;

use crate::{config::LogFormat, log};

/// What is to be done about a plugin.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Writes a crate for a new plugin, which builds and passes its tests.
    New(new::Arguments),
    /// Builds a crate's plugins, and leaves their components in its folder `dist`.
    Build(build::Arguments),
    /// Tells what a component is, and whether a server would load it.
    Check(check::Arguments),
    /// Runs a policy as a server would: a keyer over recorded requests, an eviction policy over
    /// requests to a small cache, a stats component over outcomes. Tells what it does, how fast,
    /// and whether it is deterministic.
    Test(trial::Arguments),
    /// Tells which plugins a running server has loaded, and how they fare.
    List(list::Arguments),
}

/// Does it. What the plugin logs meanwhile is on standard error.
pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    log::start_unbuffered(LogFormat::Human);
    match command {
        Command::New(arguments) => new::run(arguments),
        Command::Build(arguments) => build::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Test(arguments) => trial::run(arguments),
        Command::List(arguments) => list::run(arguments),
    }
}
