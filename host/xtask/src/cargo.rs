//! Runs cargo and finds what it made.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use deja_component::Artifact;
use serde_json::Value;

use crate::{paths, python, shell};

/// Cargo for the host's workspace, at the root of the repository.
pub(crate) fn host() -> Command {
    let mut cargo = Command::new(program());
    cargo.current_dir(paths::root());
    if cfg!(target_os = "macos") {
        // The build script of `mlx-sys` calls CMake.
        cargo.env("PATH", python::path());
    }
    cargo
}

/// Cargo for the workspace of the guests.
pub(crate) fn guests() -> Command {
    let mut cargo = Command::new(program());
    cargo.current_dir(paths::plugins());
    cargo
}

/// Cargo for the workspace of the fuzz targets.
pub(crate) fn fuzz() -> Command {
    let mut cargo = Command::new(program());
    cargo.current_dir(paths::fuzz());
    cargo
}

/// The binary of this name among what was built.
pub(crate) fn binary(artifacts: &[Artifact], name: &str) -> Result<PathBuf> {
    let mut named = artifacts.iter().filter(|artifact| artifact.name == name);
    let file = named.find_map(|artifact| artifact.file("bin", ""));
    file.cloned()
        .with_context(|| format!("cargo made no binary {name}"))
}

/// The manifest of a package that the host's workspace depends on; cargo fetches it if need be.
pub(crate) fn manifest_of(package: &str) -> Result<PathBuf> {
    let metadata = shell::output(host().args(["metadata", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.find(|candidate| candidate["name"] == package);
    let manifest = found.and_then(|package| package["manifest_path"].as_str());
    manifest
        .map(PathBuf::from)
        .with_context(|| format!("no crate depends on {package}"))
}

fn program() -> impl AsRef<OsStr> {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
