//! Cargo's subcommands that are not part of Rust, each installed once at a pinned version.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::report::step;
use crate::{cargo, paths, shell};

/// A subcommand of cargo, as it is on crates.io.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Tool {
    /// Installs it if it is missing, and returns the folder of its program.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        let Self { name, version } = *self;
        let home = paths::home().join(format!("{name}-{version}"));
        let folder = home.join("bin");
        if !folder.join(name).is_file() {
            step(name, "building it, once", || {
                let mut install = cargo::host();
                install.args(["install", name, "--locked", "--version", version, "--root"]);
                shell::run(install.arg(&home))
            })?;
        }
        Ok(folder)
    }
}

/// Puts a folder before those in which a command's programs are searched.
pub(crate) fn search_first(folder: &Path, command: &mut Command) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_owned()]
        .into_iter()
        .chain(env::split_paths(&path));
    command.env("PATH", env::join_paths(folders)?);
    Ok(())
}
