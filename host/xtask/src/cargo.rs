//! Runs cargo and reads what it says.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{paths, python, shell};

/// Something that cargo made, now or before.
pub(crate) struct Artifact {
    kinds: Vec<String>,
    /// The target's name.
    pub(crate) name: String,
    files: Vec<PathBuf>,
}

impl Artifact {
    /// The file of a target of this kind, such as `bin` or `cdylib`, with this extension.
    pub(crate) fn file(&self, kind: &str, extension: &str) -> Option<&PathBuf> {
        let of_kind = self.kinds.iter().any(|own| own == kind);
        let has_extension = |file: &&PathBuf| file.extension().unwrap_or_default() == extension;
        self.files.iter().find(has_extension).filter(|_| of_kind)
    }
}

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

/// Runs a build; the user sees cargo's own progress.
pub(crate) fn build(command: &mut Command) -> Result<Vec<Artifact>> {
    command.arg("--message-format=json-render-diagnostics");
    let mut child = shell::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut artifacts = Vec::new();
    if let Some(messages) = child.stdout.take() {
        for message in BufReader::new(messages).lines() {
            artifacts.extend(artifact(&message?)?);
        }
    }
    shell::check(command, child.wait()?, "")?;
    Ok(artifacts)
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

/// What a message of cargo tells of a finished target, if anything. Test programs, which have the
/// name and kind of what they test, are passed over.
fn artifact(message: &str) -> Result<Option<Artifact>> {
    let message: Value = serde_json::from_str(message).context("cargo's message is not JSON")?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] == true {
        return Ok(None);
    }
    let strings = |value: &Value| {
        let strings = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        strings.map(str::to_owned).collect::<Vec<_>>()
    };
    Ok(Some(Artifact {
        kinds: strings(&message["target"]["kind"]),
        name: message["target"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        files: strings(&message["filenames"])
            .into_iter()
            .map(PathBuf::from)
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"reason":"compiler-artifact","target":{"kind":["cdylib"],
        "name":"ignore_case"},"filenames":["/t/libignore_case.rlib","/t/ignore_case.wasm"]}"#;

    #[test]
    fn an_artifact_is_found_by_kind_and_extension() {
        let artifact = artifact(MESSAGE)
            .expect("it is JSON")
            .expect("it is an artifact");
        assert_eq!(
            artifact.file("cdylib", "wasm"),
            Some(&"/t/ignore_case.wasm".into())
        );
        assert_eq!(artifact.file("bin", "wasm"), None);
        assert_eq!(artifact.file("cdylib", "so"), None);
    }

    #[test]
    fn other_messages_are_passed_over() {
        let message = r#"{"reason":"build-finished","success":true}"#;
        assert!(artifact(message).expect("it is JSON").is_none());
    }
}
