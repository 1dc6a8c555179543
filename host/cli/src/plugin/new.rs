//! `deja plugin new`: a crate to start from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;

use super::template::{self, Kind, NewFile};

/// Where a crate has its copy of the SDK, if it has one.
const COPY: &str = "deja";

/// The plugin to be written.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Its name: small letters, digits and hyphens.
    name: String,
    /// What it decides.
    #[arg(long, value_enum)]
    kind: Kind,
    /// The folder that the crate's own folder is put into.
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
}

/// Writes the crate.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { name, kind, path } = arguments;
    check_name(name)?;
    let folder = std::path::absolute(path)?.join(name);
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let repository = repository(&folder).or_else(|| repository(&program));
    create(&folder, name, *kind, repository.as_deref())?;
    println!("{}", folder.display());
    println!("next: cargo test, deja plugin build; README.md there tells more");
    Ok(())
}

/// Writes a crate with the repository's SDK, or with a copy of it where there is no repository.
fn create(folder: &Path, name: &str, kind: Kind, repository: Option<&Path>) -> anyhow::Result<()> {
    let sdk = repository.unwrap_or(Path::new(COPY)).join("plugins/sdk");
    write(folder, template::crate_files(name, kind, &sdk))?;
    if repository.is_none() {
        write(&folder.join(COPY), template::sdk_files())?;
    }
    Ok(())
}

fn write(folder: &Path, files: Vec<NewFile>) -> anyhow::Result<()> {
    for (path, contents) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))
            .and_then(|()| fs::write(&path, contents))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// The clone of Deja's repository that this path lies in.
fn repository(path: &Path) -> Option<PathBuf> {
    let has_sdk = |folder: &&Path| {
        folder.join("wit/deja-policy.wit").is_file()
            && folder.join("plugins/sdk/Cargo.toml").is_file()
    };
    path.ancestors().find(has_sdk).map(Path::to_owned)
}

/// A name is that of a crate, and of the plugin's file.
fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(plain) {
        return Ok(());
    }
    bail!("`{name}` cannot be a plugin's name: small letters, digits and hyphens can");
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    /// A crate's manifest, as cargo reads it.
    fn manifest(folder: &Path) -> toml::Table {
        let text = fs::read_to_string(folder.join("Cargo.toml")).expect("it was written");
        text.parse().expect("it is TOML")
    }

    #[test]
    fn a_crate_far_from_the_repository_has_all_that_it_needs() {
        let folder = tempfile::tempdir().expect("there is room");
        for kind in Kind::value_variants() {
            let folder = folder.path().join(format!("{kind:?}"));
            create(&folder, "my-plugin", *kind, None).expect("the folder can be written to");
            let manifest = manifest(&folder);
            assert_eq!(manifest["package"]["name"].as_str(), Some("my-plugin"));
            let sdk = manifest["dependencies"]["deja-plugin"]["path"].as_str();
            let sdk = folder.join(sdk.expect("it has a path"));
            assert!(sdk.join("src/testing/edits.rs").is_file());
            assert!(sdk.join("../../wit/deja-policy.wit").is_file());
            assert!(sdk.join("../Cargo.toml").is_file());
            assert!(folder.join("src/lib.rs").is_file());
        }
    }

    #[test]
    fn a_crate_near_the_repository_uses_the_sdk_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().expect("it is there");
        let found = repository(&root.join("examples/new")).expect("it is the repository");
        assert_eq!(found, root);
        let folder = tempfile::tempdir().expect("there is room");
        create(folder.path(), "mine", Kind::Keyer, Some(&found)).expect("it can be written");
        let sdk = &manifest(folder.path())["dependencies"]["deja-plugin"]["path"];
        assert_eq!(
            sdk.as_str().map(Path::new),
            Some(&*root.join("plugins/sdk"))
        );
        assert!(!folder.path().join(COPY).exists());
    }

    #[test]
    fn a_name_is_one_that_cargo_and_the_server_take() {
        for name in ["", "My", "a_b", "../x", "7up", "-x"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        check_name("ignore-user-2").expect("it is a name");
    }
}
