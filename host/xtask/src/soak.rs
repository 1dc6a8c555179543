//! The soak: hours of mixed traffic against the real server.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::wasm::Choice;
use crate::{cargo, plugins, setup, test};

/// Sets up, builds, and becomes the soak, which Ctrl-C ends with a report.
pub(crate) fn run(choice: Choice, arguments: &[OsString]) -> Result<()> {
    setup::run(choice, false)?;
    plugins::build(choice)?;
    let artifacts = test::build()?;
    let soak = cargo::binary(&artifacts, "soak")?;
    let mut command = Command::new(&soak);
    command.args(arguments).envs(test::variables(&artifacts)?);
    Err(command.exec()).with_context(|| format!("{} does not start", soak.display()))
}
