//! Every check, those that fail soonest first.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use deja_component::Artifact;

use crate::wasm::Choice;
use crate::{cargo, deny, paths, plugins, python, setup, shell};

/// A part of the checks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Step {
    /// rustfmt over all workspaces
    Format,
    /// Licences and sources of the packages of all workspaces
    Packages,
    /// clippy over both workspaces, where a warning is an error
    Lint,
    /// The unit tests of the guests and of xtask
    Guests,
    /// The host's unit tests, and the end-to-end tests over the real server and model
    Host,
}

/// Sets up, builds, and runs the steps until one fails; `arguments` go to the host's tests.
pub(crate) fn run(choice: Choice, steps: &[Step], arguments: &[OsString]) -> Result<()> {
    let steps = if steps.is_empty() {
        Step::value_variants()
    } else {
        steps
    };
    setup::run(choice, true)?;
    plugins::list(&plugins::build(choice)?);

    let mut passed = Vec::new();
    for step in steps {
        println!("\n=== {step:?}");
        let start = Instant::now();
        let outcome = step.run(arguments);
        if outcome.is_err() {
            summarise(&passed, Some(step));
            return outcome.with_context(|| format!("the step {step:?} failed"));
        }
        passed.push((step, start.elapsed()));
    }
    summarise(&passed, None);
    Ok(())
}

impl Step {
    fn run(self, arguments: &[OsString]) -> Result<()> {
        match self {
            Self::Format => format(),
            Self::Packages => deny::packages(),
            Self::Lint => lint(),
            Self::Guests => guests(),
            Self::Host => host(arguments),
        }
    }
}

fn format() -> Result<()> {
    for mut cargo in [cargo::host(), cargo::guests(), cargo::fuzz()] {
        shell::pass_through(cargo.args(["fmt", "--all", "--check"]))?;
    }
    Ok(())
}

/// Lints in the profiles of the builds, so that build scripts and macros are compiled once.
fn lint() -> Result<()> {
    let clippy = |mut cargo: Command, which: &[&str]| {
        cargo.arg("clippy").args(which);
        shell::pass_through(cargo.args(["--all-targets", "--", "--deny", "warnings"]))
    };
    clippy(cargo::host(), OWN)?;
    clippy(cargo::guests(), &["--workspace"])?;
    clippy(cargo::host(), OTHERS)
}

fn guests() -> Result<()> {
    shell::pass_through(cargo::host().arg("test").args(OWN))?;
    shell::pass_through(cargo::guests().args(["test", "--workspace"]))
}

fn host(arguments: &[OsString]) -> Result<()> {
    let mut test = with_product("test", &[])?;
    shell::pass_through(test.args(OTHERS).args(arguments))
}

/// A cargo command for the crates of the host, whose programs are told where to find the server and
/// what it takes.
pub(crate) fn with_product(command: &str, arguments: &[&str]) -> Result<Command> {
    let variables = variables(&build()?)?;
    let mut cargo = cargo::host();
    cargo.arg(command).args(arguments).envs(variables);
    Ok(cargo)
}

/// Builds the programs and tests of the host.
///
/// The server is built together with the tests: alone it would be built with fewer features of the
/// crates that both use, and they would be compiled twice.
pub(crate) fn build() -> Result<Vec<Artifact>> {
    let mut build = cargo::host();
    build.arg("build").args(OTHERS).args(["--bins", "--tests"]);
    Ok(deja_component::build(&mut build)?)
}

/// The variables that tell tests and benchmarks where to find the server and what it takes.
pub(crate) fn variables(artifacts: &[Artifact]) -> Result<[(&'static str, PathBuf); 4]> {
    Ok([
        ("DEJA_HOME", paths::home()),
        ("DEJA_BIN", cargo::binary(artifacts, "deja")?),
        ("DEJA_PYTHON", python::interpreter()),
        ("DEJA_PLUGINS", paths::components()),
    ])
}

/// This crate, as the alias `cargo xtask` builds it.
const OWN: &[&str] = &["--profile", "xtask", "--package", "xtask"];

/// The crates of the host, as they run.
const OTHERS: &[&str] = &["--release", "--workspace", "--exclude", "xtask"];

fn summarise(passed: &[(&Step, Duration)], failed: Option<&Step>) {
    println!("\n=== Summary");
    for (step, time) in passed {
        println!(
            "{:<8} passed in {:.0} s",
            format!("{step:?}"),
            time.as_secs_f64()
        );
    }
    if let Some(step) = failed {
        println!("{:<8} failed", format!("{step:?}"));
    }
    println!(
        "steps: {} passed, {} failed",
        passed.len(),
        usize::from(failed.is_some())
    );
}
