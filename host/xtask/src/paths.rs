//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(2)
        .expect("this crate lies in host/xtask")
}

/// All that set-up fetches or makes. Git ignores it, and it may be deleted at any time.
pub(crate) fn home() -> PathBuf {
    root().join(".deja")
}

/// A file of this crate.
pub(crate) fn own(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// The workspace of the WebAssembly guests.
pub(crate) fn plugins() -> PathBuf {
    root().join("plugins")
}

/// The workspace of the fuzz targets.
pub(crate) fn fuzz() -> PathBuf {
    root().join("tests/fuzz")
}

/// The finished components.
pub(crate) fn components() -> PathBuf {
    plugins().join("dist")
}
