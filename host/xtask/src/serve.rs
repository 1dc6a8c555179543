//! Starts the server from source.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::wasm::Choice;
use crate::{cargo, paths, plugins, setup};

/// Sets up, builds, and becomes `deja serve`.
pub(crate) fn run(choice: Choice, arguments: &[OsString]) -> Result<()> {
    setup::run(choice, false)?;
    let components = plugins::build(choice)?;
    plugins::list(components.iter().filter(|component| component.changed));
    let mut build = cargo::host();
    build.args(["build", "--release", "--package", "deja-cli"]);
    let deja = cargo::binary(&deja_component::build(&mut build)?, "deja")?;
    let mut server = Command::new(&deja);
    server
        .arg("serve")
        .args(arguments)
        .env("DEJA_HOME", paths::home());
    Err(server.exec()).with_context(|| format!("{} does not start", deja.display()))
}
