//! What only the system's package manager can bring, on Linux.

use std::env::consts::ARCH;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow};

use crate::python;
use crate::report::{Remedy, step, warn};
use crate::shell;

const OPENBLAS: &str = "libopenblas0-pthread";

/// Sees to a C++ compiler, Python with `venv`, `std::format` or its model, and `OpenBLAS`. Without
/// `OpenBLAS` everything works, slowly.
pub(crate) fn setup() -> Result<()> {
    let required = missing()?;
    if openblas().is_some() {
        return install(&required);
    }
    let all = [required.as_slice(), &[OPENBLAS]].concat();
    if can_install() || !required.is_empty() {
        return install(&all);
    }
    warn(&format!(
        "MLX computes about ten times slower on the processor without OpenBLAS; \
         `{}` brings it",
        command(&all)
    ));
    Ok(())
}

/// Debian's packages for what is needed and not there.
fn missing() -> Result<Vec<&'static str>> {
    let mut packages = python::missing_packages().to_vec();
    if !has_compiler() {
        packages.extend(["g++", "libfmt-dev"]);
    } else if !has_format()? {
        packages.push("libfmt-dev");
    }
    Ok(packages)
}

/// Installs Debian's packages as root, and otherwise fails with the command that does it.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !can_install() {
        let lack = anyhow!("the system lacks {}", packages.join(", "));
        return Err(lack).context(Remedy(format!(
            "run `{}` and then this command again (those are Debian's names)",
            command(packages)
        )));
    }
    step("system packages", &packages.join(", "), || {
        shell::run(apt_get().arg("update"))?;
        let mut install = apt_get();
        install.args(["install", "--yes", "--no-install-recommends"]);
        shell::run(install.args(packages))
    })
    .context(Remedy::new(
        "see whether `apt-get update` reaches its servers, then run the command again",
    ))
}

/// Whether a package of Debian is installed.
pub(crate) fn has(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let status = shell::output(query.args(["--show", "--showformat=${db:Status-Abbrev}", package]));
    status.is_ok_and(|status| status == "ii")
}

/// `OpenBLAS` as Debian installs it.
pub(crate) fn openblas() -> Option<PathBuf> {
    let file = format!("/usr/lib/{ARCH}-linux-gnu/openblas-pthread/libblas.so.3");
    Some(PathBuf::from(file)).filter(|file| file.exists())
}

fn command(packages: &[&str]) -> String {
    format!("sudo apt-get install -y {}", packages.join(" "))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]);
    command
}

fn can_install() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    root && Path::new("/usr/bin/apt-get").exists()
}

fn has_compiler() -> bool {
    shell::output(Command::new("c++").arg("--version")).is_ok()
}

/// Whether the compiler has `<format>` (GCC since 13), or finds the library that it came from.
fn has_format() -> Result<bool> {
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++20", "-fsyntax-only", "-x", "c++", "-"]);
    compiler.stdin(Stdio::piped()).stderr(Stdio::null());
    let mut compiler = shell::spawn(&mut compiler)?;
    if let Some(mut source) = compiler.stdin.take() {
        source.write_all(
            b"#if !__has_include(<format>) && !__has_include(<fmt/format.h>)\n\
              #error\n\
              #endif\n",
        )?;
    }
    Ok(compiler.wait()?.success())
}
