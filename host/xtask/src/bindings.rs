//! Rust's view of mlx-c, as `mlx-sys` would make it on an Apple system.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

/// The shape in which `mlx-rs` expects half-precision numbers.
const HALF: &str = "\
pub type bfloat16_t = u16;
pub type float16_t = __BindgenFloat16;
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default)]
pub struct __BindgenFloat16(pub u16);";

/// Writes the bindings of a header that includes mlx-c's.
pub(crate) fn write(header: &Path, mlx_c: &Path, bindings: &Path) -> Result<()> {
    // The libclang of the Python package comes without the compiler's own headers.
    let headers = shell::output(Command::new("cc").arg("-print-file-name=include"))?;
    let generated = bindgen::Builder::default()
        .header(header.to_string_lossy())
        .clang_arg(format!("-I{}", mlx_c.display()))
        .clang_args(["-isystem", &headers])
        .allowlist_file(".*/mlx/c/[^/]*")
        .blocklist_type("b?float16_t")
        .raw_line(HALF)
        .formatter(bindgen::Formatter::None)
        .generate()
        .context("bindgen could not read mlx-c's headers")?;
    std::fs::create_dir_all(bindings.parent().unwrap_or(Path::new(".")))?;
    Ok(generated.write_to_file(bindings)?)
}
