//! Sees to a Rust toolchain that compiles for `wasm32-unknown-unknown`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use deja_component::{TARGET, Toolchain};

use crate::report::{Remedy, step, warn};
use crate::{debian, shell};

/// How long rustup may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Debian's newer Rust, and the source of its standard library.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Which toolchain compiles the guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// rustup's if it has the target or gets it within two minutes, else Debian's
    Auto,
    /// The toolchain that runs this command, with rustup's target
    Rustup,
    /// Debian's packages rustc-web and cargo-web, which build the standard library themselves
    Debian,
}

/// Finds the toolchain, or installs what it lacks.
pub(crate) fn ensure(choice: Choice) -> Result<Toolchain> {
    let running = Toolchain::running().filter(|_| choice != Choice::Debian);
    if let Some(running) = running {
        return Ok(running);
    }
    match choice {
        Choice::Debian => debian(),
        // Installed when rustup failed before; do not wait for it again.
        Choice::Auto if missing_packages().is_empty() => debian(),
        Choice::Auto if cfg!(target_os = "linux") => rustup().or_else(|failure| {
            warn(&format!(
                "rustup failed, so Debian's Rust is tried: {failure:#}"
            ));
            debian()
        }),
        Choice::Auto | Choice::Rustup => rustup(),
    }
}

fn rustup() -> Result<Toolchain> {
    step("rustup", "adding the target of the plugins", || {
        let mut rustup = Command::new("rustup");
        shell::run_within(PATIENCE, rustup.args(["target", "add", TARGET])).context(Remedy::new(
            "see whether rustup reaches its server, or set DEJA_WASM_TOOLCHAIN=debian on Debian",
        ))
    })?;
    Ok(Toolchain::Running)
}

fn debian() -> Result<Toolchain> {
    debian::install(&missing_packages())?;
    Toolchain::debian().context(
        "Debian's Rust does not compile plugins: its standard library's source is not there, or \
         the running toolchain has no rust-lld to link them with",
    )
}

fn missing_packages() -> Vec<&'static str> {
    let packages = PACKAGES.into_iter();
    packages.filter(|package| !debian::has(package)).collect()
}
