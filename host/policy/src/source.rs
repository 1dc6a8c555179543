//! Where a plugin's component comes from: a file in the plugin folder, or the program itself.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{PluginError, Problem};
use crate::settings::PluginKind;

/// The components that need no file.
const BUILT_IN: [(&str, &[u8]); 13] = [
    (
        "claude-code",
        include_bytes!("../../../plugins/dist/claude-code.wasm"),
    ),
    ("codex", include_bytes!("../../../plugins/dist/codex.wasm")),
    ("exact", include_bytes!("../../../plugins/dist/exact.wasm")),
    ("fifo", include_bytes!("../../../plugins/dist/fifo.wasm")),
    ("gdsf", include_bytes!("../../../plugins/dist/gdsf.wasm")),
    (
        "ignore-fields",
        include_bytes!("../../../plugins/dist/ignore-fields.wasm"),
    ),
    ("lru", include_bytes!("../../../plugins/dist/lru.wasm")),
    (
        "normalise-text",
        include_bytes!("../../../plugins/dist/normalise-text.wasm"),
    ),
    (
        "s3-fifo",
        include_bytes!("../../../plugins/dist/s3-fifo.wasm"),
    ),
    (
        "sampling",
        include_bytes!("../../../plugins/dist/sampling.wasm"),
    ),
    ("sieve", include_bytes!("../../../plugins/dist/sieve.wasm")),
    (
        "standard",
        include_bytes!("../../../plugins/dist/standard.wasm"),
    ),
    (
        "w-tinylfu",
        include_bytes!("../../../plugins/dist/w-tinylfu.wasm"),
    ),
];

/// Where a component was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is part of this program.
    BuiltIn,
    /// It is a file in the plugin folder.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A component's bytes, not looked at yet.
pub(crate) struct Artifact {
    pub(crate) source: Source,
    pub(crate) bytes: Cow<'static, [u8]>,
    pub(crate) hash: blake3::Hash,
}

impl Artifact {
    fn built_in(name: &str) -> Option<Self> {
        let (_, bytes) = BUILT_IN
            .into_iter()
            .find(|(built_in, _)| *built_in == name)?;
        Some(Self::new(Source::BuiltIn, Cow::Borrowed(bytes)))
    }

    /// Reads a whole file of at most `limit` bytes.
    pub(crate) fn read(path: &Path, limit: u64) -> Result<Self, Problem> {
        // Asked before it is opened: that would wait for somebody to write into a pipe.
        if !fs::metadata(path).map_err(Problem::Read)?.is_file() {
            return Err(Problem::NotAFile);
        }
        let file = File::open(path).map_err(Problem::Read)?;
        let mut bytes = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(Problem::Read)?;
        if bytes.len() as u64 > limit {
            return Err(Problem::TooLong { limit });
        }
        Ok(Self::new(Source::File(path.to_owned()), Cow::Owned(bytes)))
    }

    fn new(source: Source, bytes: Cow<'static, [u8]>) -> Self {
        let hash = blake3::hash(&bytes);
        Self {
            source,
            bytes,
            hash,
        }
    }
}

/// The file that holds the plugin of this name, if there is one.
pub(crate) fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(name).with_extension("wasm")
}

/// Finds the plugin of this name: its file, or else the built-in one.
pub(crate) fn find(
    kind: PluginKind,
    name: &str,
    dir: Option<&Path>,
    limit: u64,
) -> Result<Artifact, PluginError> {
    check_name(kind, name)?;
    match dir.map(|dir| path(dir, name)).filter(|path| path.exists()) {
        Some(path) => read(kind, name, &path, limit),
        None => Artifact::built_in(name).ok_or_else(|| unknown(kind, name, dir)),
    }
}

/// Reads the file of the plugin of this name.
pub(crate) fn read(
    kind: PluginKind,
    name: &str,
    path: &Path,
    limit: u64,
) -> Result<Artifact, PluginError> {
    Artifact::read(path, limit).map_err(|problem| PluginError::Unusable {
        kind,
        name: name.to_owned(),
        origin: Source::File(path.to_owned()),
        problem,
    })
}

/// A name is part of a path, and must not lead out of the folder.
fn check_name(kind: PluginKind, name: &str) -> Result<(), PluginError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(());
    }
    Err(PluginError::Name {
        kind,
        name: name.to_owned(),
    })
}

fn unknown(kind: PluginKind, name: &str, dir: Option<&Path>) -> PluginError {
    PluginError::Unknown {
        kind,
        name: name.to_owned(),
        built_in: BUILT_IN.map(|(name, _)| name).join(", "),
        dir: dir.map_or_else(
            || "a plugin folder".to_owned(),
            |dir| dir.display().to_string(),
        ),
    }
}
