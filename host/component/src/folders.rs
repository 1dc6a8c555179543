//! Keeps the builder's folders out of what is built: the same sources give the same component,
//! wherever they lie.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::toolchain::TARGET;

/// What a component calls the folder in which cargo keeps the crates that it fetched.
const CARGO_HOME: &str = "cargo";

/// A setting of cargo's by which the compiler writes other names for these folders: cargo's own,
/// and those of the crates that are neither fetched nor in the workspace. Cargo's own setting for
/// this, `trim-paths`, is not stable.
pub(crate) fn setting(mut cargo: Command) -> String {
    cargo.args(["metadata", "--format-version", "1"]);
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::null()).output();
    // Where cargo cannot tell, it cannot build either, and says why then.
    let metadata = output.ok().map(|output| output.stdout).unwrap_or_default();
    let metadata = serde_json::from_slice(&metadata).unwrap_or_default();
    let mut named = elsewhere(&metadata);
    named.extend(cargo_home().map(|home| (home, CARGO_HOME.to_owned())));
    let flags: Vec<_> = named
        .iter()
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
        .collect();
    // A list of strings is the same in JSON and in TOML.
    format!("target.{TARGET}.rustflags={}", json!(flags))
}

/// The folders of local crates that are not below the workspace's own, which the compiler does not
/// see, each with its crate's name.
fn elsewhere(metadata: &Value) -> Vec<(PathBuf, String)> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let local = packages.filter(|package| package["source"].is_null());
    let named = local.filter_map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let name = package["name"].as_str()?;
        Some((manifest.parent()?.to_owned(), name.to_owned()))
    });
    named.filter(|(own, _)| !own.starts_with(root)).collect()
}

fn cargo_home() -> Option<PathBuf> {
    let home = || Some(env::home_dir()?.join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_crates_elsewhere_go_by_their_names() {
        let package = |name: &str, folder: &str, source: Value| {
            let manifest_path = format!("{folder}/Cargo.toml");
            json!({"name": name, "manifest_path": manifest_path, "source": source})
        };
        let metadata = json!({"workspace_root": "/home/ada/mine", "packages": [
            package("mine", "/home/ada/mine/plugin", Value::Null),
            package("deja-plugin", "/home/ada/deja/plugins/sdk", Value::Null),
            package("serde", "/home/ada/.cargo/registry/src/serde", json!("registry")),
        ]});
        let sdk = ("/home/ada/deja/plugins/sdk".into(), "deja-plugin".into());
        assert_eq!(elsewhere(&metadata), [sdk]);
    }
}
