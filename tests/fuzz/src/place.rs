//! A file for the readers that take a path.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A folder in memory, where the system has one.
const MEMORY: &str = "/dev/shm";

/// A file that is written anew for each input.
pub struct Place {
    path: PathBuf,
    _folder: TempDir,
}

impl Place {
    /// A place for a file of this name.
    pub fn new(name: &str) -> Self {
        let folder = if Path::new(MEMORY).is_dir() {
            TempDir::new_in(MEMORY)
        } else {
            TempDir::new()
        };
        let folder = folder.expect("a temporary folder can be made");
        Self {
            path: folder.path().join(name),
            _folder: folder,
        }
    }

    /// Writes the file and returns where it is.
    pub fn write(&self, bytes: &[u8]) -> &Path {
        fs::write(&self.path, bytes).expect("a temporary file can be written");
        &self.path
    }
}
