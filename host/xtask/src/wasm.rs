//! A Rust toolchain that compiles for `wasm32-unknown-unknown`.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::report::{Remedy, step, warn};
use crate::{cargo, debian, paths, shell};

const TARGET: &str = "wasm32-unknown-unknown";

/// How long rustup may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Debian's newer Rust, and the source of its standard library.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Which toolchain compiles the guests.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Choice {
    /// rustup's if it has the target or gets it within two minutes, else Debian's
    Auto,
    /// The toolchain that runs this command, with rustup's target
    Rustup,
    /// Debian's packages rustc-web and cargo-web, which build the standard library themselves
    Debian,
}

/// A toolchain that is ready.
pub(crate) enum Toolchain {
    /// The running one has the target.
    Running,
    /// Debian's, with this linker.
    Debian(PathBuf),
}

impl Toolchain {
    /// Finds the toolchain, or installs what it lacks.
    pub(crate) fn ensure(choice: Choice) -> Result<Self> {
        match choice {
            Choice::Debian => debian(),
            _ if has_target()? => Ok(Self::Running),
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

    /// A release build of all guests.
    pub(crate) fn build(&self) -> Command {
        let mut cargo = match self {
            Self::Running => cargo::guests(),
            Self::Debian(linker) => debian_cargo(linker),
        };
        cargo.args([
            "build",
            "--release",
            "--workspace",
            "--lib",
            "--target",
            TARGET,
        ]);
        cargo
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

/// Whether the running toolchain has the target's standard library.
fn has_target() -> Result<bool> {
    let mut rustc = Command::new("rustc");
    let folder = shell::output(rustc.args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(Path::new(&folder).exists())
}

fn debian() -> Result<Toolchain> {
    debian::install(&missing_packages())?;
    let sysroot = shell::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let programs = format!("lib/rustlib/{ARCH}-unknown-linux-gnu/bin");
    let linker = Path::new(&sysroot).join(programs).join("rust-lld");
    if !linker.exists() {
        bail!(
            "the Rust toolchain has no {}, which links the plugins",
            linker.display()
        );
    }
    Ok(Toolchain::Debian(linker))
}

fn missing_packages() -> Vec<&'static str> {
    let packages = PACKAGES.into_iter();
    packages.filter(|package| !debian::has(package)).collect()
}

/// Cargo as Debian packs it. It compiles the standard library along with the guests, which a stable
/// compiler does on this plea only.
fn debian_cargo(linker: &Path) -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.current_dir(paths::plugins());
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    cargo
}
