//! Keeps compiled code on disk, so that a component is compiled once and not at every start.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use wasmtime::{Cache, CacheConfig};

/// Bytes and files beyond which the oldest leave.
const MOST_BYTES: u64 = 512 << 20;
const MOST_FILES: u64 = 256;

/// For nobody but the server itself: what lies here is run without any further look at it.
const PRIVATE: u32 = 0o700;

/// Why compiled code is not kept.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the folder cannot be made private")]
    Folder(#[source] io::Error),
    #[error("the folder cannot be used")]
    Cache(#[source] wasmtime::Error),
}

/// The cache in this folder. Without one everything works and starts more slowly, so an unusable
/// folder is no reason to fail.
pub(crate) fn cache(folder: &Path) -> Option<Cache> {
    open(folder)
        .inspect_err(|error| {
            let error = crate::error::chain(error);
            tracing::warn!(folder = %folder.display(), error, "compiled plugins are not kept");
        })
        .ok()
}

fn open(folder: &Path) -> Result<Cache, Unusable> {
    let folder = std::path::absolute(folder).map_err(Unusable::Folder)?;
    make_private(&folder).map_err(Unusable::Folder)?;
    let mut config = CacheConfig::new();
    config
        .with_directory(folder)
        .with_files_total_size_soft_limit(MOST_BYTES)
        .with_file_count_soft_limit(MOST_FILES);
    Cache::new(config).map_err(Unusable::Cache)
}

/// Fails for a folder of somebody else's.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(PRIVATE).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(PRIVATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_for_its_owner_only() {
        let root = tempfile::tempdir().expect("makes a folder");
        let folder = root.path().join("a/b");
        fs::create_dir_all(&folder).expect("makes a folder");
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("opens it to all");
        assert!(cache(&folder).is_some());
        let metadata = fs::metadata(&folder).expect("is there");
        assert_eq!(metadata.permissions().mode() & 0o777, PRIVATE);
    }

    #[test]
    fn a_folder_that_cannot_be_is_no_failure() {
        let root = tempfile::tempdir().expect("makes a folder");
        let file = root.path().join("file");
        fs::write(&file, "").expect("writes");
        assert!(cache(&file.join("folder")).is_none());
    }
}
