//! A virtual environment, and packages from the Python index at pinned versions and digests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, iter};

use anyhow::{Context as _, Result};

use crate::report::{Remedy, step};
use crate::stamp::Stamp;
use crate::{paths, shell};

/// The virtual environment in `.deja/python`.
pub(crate) struct Venv {
    site_packages: PathBuf,
}

impl Venv {
    /// The environment, made if it is not there, or if its Python has gone or got a new version.
    pub(crate) fn ensure() -> Result<Self> {
        if site_packages().is_err() {
            let _ = fs::remove_dir_all(folder());
        }
        Stamp::new("python", &[&folder().to_string_lossy()]).ensure(&[&interpreter()], create)?;
        let site_packages = site_packages()?;
        Ok(Self { site_packages })
    }

    /// The folder of installed packages.
    pub(crate) fn site_packages(&self) -> &Path {
        &self.site_packages
    }

    /// Installs the packages of a list; they are recognised by one of their files.
    pub(crate) fn install(&self, list: &str, why: &str, product: &Path) -> Result<()> {
        let place = self.site_packages.to_string_lossy();
        Stamp::new(list, &[&read(list)?, &place]).ensure(&[product], || {
            step(&format!("Python packages ({list})"), why, || {
                // What a broken-off run left looks whole to pip, and need not be.
                let mut pip = pip("install", list);
                shell::run(pip.args(["--force-reinstall", "--no-compile"])).with_context(reach)
            })
        })
    }
}

/// Installs one of cargo's subcommands that are not part of Rust, and returns its program. The
/// index has them ready to run, where cargo would compile them for minutes.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    let program = programs().join(name);
    Venv::ensure()?.install("tools", "what checks and fuzzes", &program)?;
    Ok(program)
}

/// Fetches the wheels of a list into a folder, without what they depend on.
pub(crate) fn download(list: &str, folder: &Path) -> Result<()> {
    let mut pip = pip("download", list);
    shell::run(pip.arg("--no-deps").arg("--dest").arg(folder)).with_context(reach)
}

/// Unpacks a wheel into a folder.
pub(crate) fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    let mut python = Command::new(interpreter());
    shell::run(python.args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder))
}

/// The environment's Python.
pub(crate) fn interpreter() -> PathBuf {
    programs().join("python")
}

/// A search path on which the environment's programs come first.
pub(crate) fn path() -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let folders = iter::once(programs()).chain(env::split_paths(&others));
    env::join_paths(folders).unwrap_or(others)
}

/// The folder of the environment's programs.
pub(crate) fn programs() -> PathBuf {
    folder().join("bin")
}

/// The text of a list of pinned packages.
pub(crate) fn read(list: &str) -> Result<String> {
    let file = file(list);
    fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Debian's packages that making the environment still takes.
pub(crate) fn missing_packages() -> &'static [&'static str] {
    let can = |program| shell::output(Command::new("python3").args(["-c", program])).is_ok();
    if interpreter().exists() || can("import ensurepip, venv") {
        &[]
    } else if can("") {
        &["python3-venv"]
    } else {
        &["python3", "python3-venv"]
    }
}

fn create() -> Result<()> {
    step(
        "Python environment",
        "MLX and CMake come as Python packages",
        || {
            shell::run(
                Command::new("python3")
                    .args(["-m", "venv", "--clear"])
                    .arg(folder()),
            )
            .context(Remedy::new(
                "put a `python3` of 3.11 or newer, with its module `venv`, on the path",
            ))
        },
    )
}

fn reach() -> Remedy {
    Remedy::new(
        "see whether the Python package index is reached, and whether `python3` is 3.11 or newer; \
         then run the command again",
    )
}

fn site_packages() -> Result<PathBuf> {
    let program = "import sysconfig; print(sysconfig.get_path('purelib'))";
    shell::output(Command::new(interpreter()).args(["-c", program])).map(PathBuf::from)
}

fn pip(action: &str, list: &str) -> Command {
    let mut pip = Command::new(interpreter());
    pip.args([
        "-m",
        "pip",
        action,
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]);
    pip.args([
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
    ]);
    pip.arg("--requirement").arg(file(list));
    pip
}

fn file(list: &str) -> PathBuf {
    paths::own("requirements").join(list).with_extension("txt")
}

fn folder() -> PathBuf {
    paths::home().join("python")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(list: &str) -> Vec<String> {
        let text = read(list).expect("the list is there");
        let pins = text
            .lines()
            .filter(|line| line.starts_with("mlx==") || line.starts_with("mlx-cpu=="));
        pins.filter_map(|pin| pin.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_reference_computes_with_the_same_mlx() {
        assert_eq!(pins("build").len(), 2);
        assert_eq!(pins("build"), pins("reference"));
    }
}
