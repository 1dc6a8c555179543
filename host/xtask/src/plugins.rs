//! Builds the guests and makes components of them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wit_component::ComponentEncoder;

use crate::wasm::{Choice, Toolchain};
use crate::{cargo, paths};

/// A finished component.
pub(crate) struct Component {
    /// The guest's name.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// Whether it is another one than before.
    pub(crate) changed: bool,
}

/// Builds every guest in `plugins/` and leaves its component in `plugins/dist`.
pub(crate) fn build(choice: Choice) -> Result<Vec<Component>> {
    let artifacts = cargo::build(&mut Toolchain::ensure(choice)?.build())?;
    let mut components = Vec::new();
    for artifact in artifacts {
        if let Some(module) = artifact.file("cdylib", "wasm") {
            let name = file_name(&artifact.name);
            components.push(finish(module, name)?);
        }
    }
    if components.is_empty() {
        bail!(
            "{} holds no guest: no package with a `cdylib`",
            paths::plugins().display()
        );
    }
    components.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(components)
}

/// Prints a line for each component.
pub(crate) fn list<'a>(components: impl IntoIterator<Item = &'a Component>) {
    for Component { name, size, .. } in components {
        println!("plugins/dist/{name}.wasm  {size} bytes");
    }
}

fn finish(module: &Path, name: String) -> Result<Component> {
    let component = encode(&fs::read(module)?)
        .with_context(|| format!("the guest {name} does not make a component"))?;
    let changed = write(&name, &component)?;
    let size = component.len();
    Ok(Component {
        name,
        size,
        changed,
    })
}

/// Wraps a core module that carries the description of its world.
fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .encode()
}

/// Writes a component whole or not at all, since a server may be watching. One that has not changed
/// is left alone: the host's build embeds it.
fn write(name: &str, component: &[u8]) -> Result<bool> {
    let folder = paths::components();
    let file = folder.join(name).with_extension("wasm");
    if fs::read(&file).is_ok_and(|old| old == component) {
        return Ok(false);
    }
    let new = folder.join(format!(".{name}.{}", std::process::id()));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&new, component))
        .and_then(|()| fs::rename(&new, &file))
        .with_context(|| format!("{} cannot be written", file.display()))?;
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
        encode(b"no module").unwrap_err();
    }
}
