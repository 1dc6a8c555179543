//! Finished runs in a folder, so that a sweep that was broken off goes on where it stood.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use deja_trace::Digest;

use super::results::Cell;

/// The folder in which finished runs are kept, each under the digest of all that its result depends
/// on.
pub(super) struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// The archive in the folder of a replay's output.
    pub(super) fn open(out: &Path) -> io::Result<Self> {
        let folder = out.join("cells");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// The run under this digest. One that cannot be read is run again.
    pub(super) fn find(&self, digest: Digest) -> Option<Cell> {
        let json = fs::read(self.path(digest)).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Keeps a run.
    pub(super) fn keep(&self, digest: Digest, cell: &Cell) -> io::Result<()> {
        write(&self.path(digest), &serde_json::to_vec(cell)?)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.to_string()).with_extension("json")
    }
}

/// Writes a file that is whole or not there.
pub(super) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, contents)?;
    fs::rename(part, path)
}
