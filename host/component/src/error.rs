//! Why a plugin is not built.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a plugin is not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No toolchain compiles for WebAssembly.
    #[error(
        "no Rust toolchain here compiles for wasm32-unknown-unknown: run \
         `rustup target add wasm32-unknown-unknown`"
    )]
    NoToolchain,
    /// A program does not start.
    #[error("{program} does not start")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program failed, and has said why.
    #[error("{program} failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// Cargo says what cannot be read.
    #[error("cargo's message is not JSON")]
    Message(#[source] serde_json::Error),
    /// There is nothing to make a component of.
    #[error("{0} holds no plugin: no package with `crate-type = [\"cdylib\"]`")]
    NoPlugin(PathBuf),
    /// What was compiled does not become a component.
    #[error("`{name}` does not make a component: {reason}")]
    NoComponent {
        /// The plugin's name.
        name: String,
        /// Why, with all causes.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
