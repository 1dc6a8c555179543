//! Builds plugins: from a crate in Rust to a component that the host loads.

#![forbid(unsafe_code)]

mod artifact;
mod error;
mod folders;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

pub use artifact::{Artifact, build};
pub use error::BuildError;
pub use toolchain::{TARGET, Toolchain};

/// A finished component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// The plugin's name.
    pub name: String,
    /// Where it lies.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: usize,
    /// Whether it is another one than before.
    pub changed: bool,
}

/// Builds every plugin of the crate or the workspace in `folder`, and leaves its component in
/// `components`. Sorted by name.
pub fn build_plugins(
    toolchain: &Toolchain,
    folder: &Path,
    components: &Path,
) -> Result<Vec<Component>, BuildError> {
    let mut built = Vec::new();
    for artifact in build(&mut toolchain.build(folder))? {
        if let Some(module) = artifact.file("cdylib", "wasm") {
            built.push(finish(module, file_name(&artifact.name), components)?);
        }
    }
    if built.is_empty() {
        return Err(BuildError::NoPlugin(folder.to_owned()));
    }
    built.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(built)
}

fn finish(module: &Path, name: String, components: &Path) -> Result<Component, BuildError> {
    let failed = |source| BuildError::File {
        path: module.to_owned(),
        source,
    };
    let component = encode(&fs::read(module).map_err(failed)?, &name)?;
    let file = components.join(&name).with_extension("wasm");
    let changed = write(&file, &component).map_err(|source| BuildError::File {
        path: file.clone(),
        source,
    })?;
    Ok(Component {
        name,
        file,
        size: component.len(),
        changed,
    })
}

/// Wraps a core module that carries the description of its world.
fn encode(module: &[u8], name: &str) -> Result<Vec<u8>, BuildError> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| BuildError::NoComponent {
            name: name.to_owned(),
            reason: format!("{error:#}"),
        })
}

/// Writes a component whole or not at all, since a server may be watching. One that has not changed
/// is left alone: the host's build embeds it.
fn write(file: &Path, component: &[u8]) -> std::io::Result<bool> {
    if fs::read(file).is_ok_and(|old| old == component) {
        return Ok(false);
    }
    let new = file.with_extension(format!("new.{}", std::process::id()));
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    fs::write(&new, component)?;
    fs::rename(&new, file)?;
    Ok(true)
}

/// The package's name, of which cargo makes a target's by replacing hyphens.
fn file_name(target: &str) -> String {
    target.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_its_packages_name() {
        assert_eq!(file_name("ignore_case_and_space"), "ignore-case-and-space");
    }

    #[test]
    fn a_module_that_is_none_is_refused() {
        let error = encode(b"no module", "mine").expect_err("it is none");
        assert!(error.to_string().contains("mine"), "{error}");
    }

    #[test]
    fn a_component_that_has_not_changed_is_left_alone() {
        let folder = tempfile::tempdir().expect("there is room");
        let file = folder.path().join("dist/mine.wasm");
        let written = ["one", "one", "two"]
            .map(|bytes| write(&file, bytes.as_bytes()).expect("the folder can be written to"));
        assert_eq!(written, [true, false, true]);
        let files = fs::read_dir(folder.path().join("dist")).expect("it is a folder");
        assert_eq!(files.count(), 1, "nothing is left of the writing");
    }
}
