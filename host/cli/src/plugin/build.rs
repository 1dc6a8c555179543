//! `deja plugin build`: from a crate to components.

use std::path::PathBuf;

use clap::Args;
use deja_component::{Toolchain, build_plugins};

/// What is to be built.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder of the crate, or of a workspace.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// Builds it, and prints what was made.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let toolchain = Toolchain::find()?;
    for component in build_plugins(&toolchain, folder, &folder.join("dist"))? {
        println!("{}  {} bytes", component.file.display(), component.size);
    }
    Ok(())
}
