//! Why a plugin, or the host of plugins, cannot be used.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use crate::fault::Fault;
use crate::settings::PluginKind;
use crate::source::Source;

/// Why the plugin host does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The WebAssembly runtime does not start.
    #[error("the webassembly runtime does not start")]
    Runtime(#[source] wasmtime::Error),
    /// A thread of the host's own does not start.
    #[error("a thread of the plugin host does not start")]
    Thread(#[source] io::Error),
    /// No plugin has this name.
    #[error(
        "{kind} plugin `{name}` is neither built in ({built_in}) nor a file `{name}.wasm` in {dir}"
    )]
    Unknown {
        /// What it was to decide.
        kind: PluginKind,
        /// Its name.
        name: String,
        /// The built-in plugins.
        built_in: String,
        /// The plugin folder, or the lack of one.
        dir: String,
    },
    /// A plugin's name cannot be the name of a file in the plugin folder.
    #[error("`{name}` cannot be a {kind} plugin's name: only letters, digits, `-` and `_` can")]
    Name {
        /// What it was to decide.
        kind: PluginKind,
        /// The name.
        name: String,
    },
    /// A plugin is there, and cannot be used.
    #[error("{kind} plugin `{name}` ({source}) cannot be used", source = .origin)]
    Unusable {
        /// What it was to decide.
        kind: PluginKind,
        /// Its name.
        name: String,
        /// Where it was read.
        origin: Source,
        /// What is wrong with it.
        #[source]
        problem: Problem,
    },
}

/// What is wrong with a component.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// It is a folder, a pipe or the like.
    #[error("it is not a file")]
    NotAFile,
    /// The file is longer than the limit.
    #[error("it has more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file is something else altogether.
    #[error("it is not webassembly")]
    NotWasm,
    /// The file is a core module.
    #[error("it is a core module, not a component (`wasm-tools component new` makes one of it)")]
    CoreModule,
    /// The file does not parse or compile.
    #[error("it is not a valid component")]
    Invalid(#[source] wasmtime::Error),
    /// It exports nothing of this kind of plugin.
    #[error("it does not export `deja:policy/{missing}`, as a plugin of this kind must{hint}")]
    WrongWorld {
        /// The first interface that is not there.
        missing: &'static str,
        /// What it seems to be instead.
        hint: String,
    },
    /// It is built for another version of the contract.
    #[error("it is built for deja:policy@{found}, and this host speaks deja:policy@{spoken}")]
    Version {
        /// Its version.
        found: String,
        /// The host's version.
        spoken: String,
    },
    /// It wants more of the host than the contract gives.
    #[error("it imports `{0}`, which a plugin of this kind may not have")]
    Import(String),
    /// Its functions are not the contract's.
    #[error("it does not fit the contract")]
    Contract(#[source] wasmtime::Error),
    /// It fails before it is asked anything.
    #[error("it fails in `{call}`")]
    Failed {
        /// The call that failed.
        call: &'static str,
        /// How.
        #[source]
        fault: Fault,
    },
    /// It refuses its settings.
    #[error("it refuses its settings: {0}")]
    Settings(String),
    /// It gives a sample request, or sample events, no usable answer.
    #[error("it fails its self-test: {0}")]
    SelfTest(String),
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

/// A plugin's words as one line of at most so many bytes.
pub(crate) fn one_line(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].replace(char::is_control, " ")
}
