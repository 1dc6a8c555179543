//! Other programs that benchmarks run. Debian and Homebrew have packages with their names.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::debian;
use crate::report::Remedy;

/// Where Debian has servers; only root's path leads there.
const SERVERS: &str = "/usr/sbin";

/// Sees to the programs that are not there.
pub(crate) fn ensure(programs: &[&str]) -> Result<()> {
    install(&missing(programs))?;
    match missing(programs).as_slice() {
        [] => Ok(()),
        missing => bail!("the system still lacks {}", missing.join(", ")),
    }
}

/// Variables that tell a benchmark where the programs are, such as `DEJA_NGINX`.
pub(crate) fn variables<'a>(
    programs: &'a [&str],
) -> impl Iterator<Item = (String, PathBuf)> + use<'a> {
    let variable =
        |program: &&str| Some((format!("DEJA_{}", program.to_uppercase()), find(program)?));
    programs.iter().filter_map(variable)
}

fn missing<'a>(programs: &[&'a str]) -> Vec<&'a str> {
    let missing = |program: &&str| find(program).is_none();
    programs.iter().copied().filter(missing).collect()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain([Path::new(SERVERS).to_owned()]);
    folders.find_map(|folder| Some(folder.join(program)).filter(|file| file.is_file()))
}

fn install(programs: &[&str]) -> Result<()> {
    if !cfg!(target_os = "macos") || programs.is_empty() {
        return debian::install(programs);
    }
    Err(anyhow!("the system lacks {}", programs.join(", "))).context(Remedy(format!(
        "run `brew install {}` and then this command again",
        programs.join(" ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_or_missing() {
        let found: Vec<_> = variables(&["sh", "no-such-program"]).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "DEJA_SH");
        assert!(found[0].1.is_absolute());
        assert_eq!(missing(&["sh", "no-such-program"]), ["no-such-program"]);
    }
}
