//! A Rust toolchain that compiles for `wasm32-unknown-unknown`.

use std::env;
use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::BuildError;
use crate::folders;

/// What plugins are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A toolchain that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The running one has the target.
    Running,
    /// Debian's newer Rust, with this linker. It compiles the standard library along.
    Debian(PathBuf),
}

impl Toolchain {
    /// The toolchain that is installed here.
    pub fn find() -> Result<Self, BuildError> {
        Self::running()
            .or_else(Self::debian)
            .ok_or(BuildError::NoToolchain)
    }

    /// The running toolchain, if it has the target's standard library.
    #[must_use]
    pub fn running() -> Option<Self> {
        let folder = rustc("rustc", &["--print", "target-libdir", "--target", TARGET])?;
        folder.exists().then_some(Self::Running)
    }

    /// Debian's packages `rustc-web`, `cargo-web` and `rust-web-src`, if they are there and the
    /// running toolchain has a linker for them.
    #[must_use]
    pub fn debian() -> Option<Self> {
        let library = rustc("/usr/bin/rustc", &["--print", "sysroot"])?;
        let library = library.join("lib/rustlib/src/rust/library/std");
        let linker = rust_lld()?;
        let is_there = Path::new("/usr/bin/cargo").exists() && library.exists() && linker.exists();
        is_there.then_some(Self::Debian(linker))
    }

    /// A release build of the crate or the workspace in this folder.
    #[must_use]
    pub fn build(&self, folder: &Path) -> Command {
        let mut cargo = self.cargo(folder);
        cargo
            .args(["build", "--release", "--lib", "--target", TARGET])
            .args(["--config", &folders::setting(self.cargo(folder))]);
        cargo
    }

    /// Its cargo, in this folder.
    fn cargo(&self, folder: &Path) -> Command {
        let mut cargo = match self {
            Self::Running => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            Self::Debian(linker) => debian_cargo(linker),
        };
        cargo.current_dir(folder);
        cargo
    }
}

/// The running toolchain's linker, which Debian's lacks.
fn rust_lld() -> Option<PathBuf> {
    let sysroot = rustc("rustc", &["--print", "sysroot"])?;
    let programs = format!("lib/rustlib/{ARCH}-unknown-linux-gnu/bin");
    Some(sysroot.join(programs).join("rust-lld"))
}

/// A path that the compiler prints.
fn rustc(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let mut rustc = Command::new(program);
    rustc.args(arguments).stdin(Stdio::null());
    let output = rustc.output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(path.trim()))
}

/// Cargo as Debian packs it. It compiles the standard library along with the plugins, which a
/// stable compiler does on this plea only.
fn debian_cargo(linker: &Path) -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    cargo
}
