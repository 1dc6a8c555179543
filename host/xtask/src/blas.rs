//! `OpenBLAS` in place of the reference BLAS that MLX's wheel brings for Linux.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::debian;

/// The wheel's own library. The name must not look like the one that it had.
const KEPT: &str = "reference-blas.so";

/// Points the wheel's name for BLAS at `OpenBLAS` if the system has it, and at the wheel's own
/// library if not.
pub(crate) fn setup(site_packages: &Path) -> Result<()> {
    let folder = site_packages.join("mlx_cpu.libs");
    let library = library(&folder)?;
    let kept = folder.join(KEPT);
    if !library.is_symlink() {
        let _ = fs::remove_file(&kept);
        fs::hard_link(&library, &kept)?;
    }
    let target = debian::openblas().unwrap_or(kept);
    if fs::read_link(&library).is_ok_and(|now| now == target) {
        return Ok(());
    }
    let link = folder.join("new-blas.so");
    let _ = fs::remove_file(&link);
    symlink(&target, &link)
        .and_then(|()| fs::rename(&link, &library))
        .with_context(|| format!("{} cannot be linked", library.display()))
}

/// `libblas-<digest>.so.<version>`.
fn library(folder: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} is not there", folder.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"libblas-"))
        })
        .with_context(|| format!("{} holds no libblas-*", folder.display()))
}
