//! Builds the guests and makes components of them.

use anyhow::Result;
use deja_component::Component;

use crate::paths;
use crate::wasm::{self, Choice};

/// Builds every guest in `plugins/` and leaves its component in `plugins/dist`.
pub(crate) fn build(choice: Choice) -> Result<Vec<Component>> {
    let toolchain = wasm::ensure(choice)?;
    let components =
        deja_component::build_plugins(&toolchain, &paths::plugins(), &paths::components())?;
    Ok(components)
}

/// Prints a line for each component.
pub(crate) fn list<'a>(components: impl IntoIterator<Item = &'a Component>) {
    for Component { name, size, .. } in components {
        println!("plugins/dist/{name}.wasm  {size} bytes");
    }
}
