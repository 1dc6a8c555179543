//! Load by wrk.

use std::{fs, path::PathBuf};

use deja_tests::required;
use tempfile::TempDir;
use tokio::process::Command;

const SCRIPT: &str = include_str!("post.lua");

/// Nobody has the machine to himself for long: servers take turns, and the median counts.
pub(crate) const ROUNDS: usize = 3;

/// How often a server is asked before it is put under load, so that it remembers the answer.
pub(crate) const TRIES: usize = 10;

const OPTIONS: [&str; 3] = ["-t1", "-c32", "-d8s"];

/// A request that wrk sends over and over.
pub(crate) struct Load {
    folder: TempDir,
    path: &'static str,
}

impl Load {
    /// Will post this body to a path.
    pub(crate) fn new(path: &'static str, body: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let load = Self { folder, path };
        fs::write(load.script(), SCRIPT).expect("the script can be written");
        fs::write(load.body(), body).expect("the body can be written");
        load
    }

    /// How many requests in a second the server at this address answers.
    pub(crate) async fn rate(&self, url: &str) -> f64 {
        let mut wrk = Command::new(required("DEJA_WRK"));
        wrk.args(OPTIONS).arg("-s").arg(self.script());
        wrk.arg(format!("{url}{}", self.path)).arg(self.body());
        let output = wrk.output().await.expect("wrk can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        let is_clean =
            output.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors");
        assert!(
            is_clean,
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        rate(&said).unwrap_or_else(|| panic!("wrk tells no rate:\n{said}"))
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("post.lua")
    }

    fn body(&self) -> PathBuf {
        self.folder.path().join("body.json")
    }
}

/// The number behind `Requests/sec:`.
fn rate(said: &str) -> Option<f64> {
    let (_, rest) = said.split_once("Requests/sec:")?;
    rest.split_whitespace().next()?.parse().ok()
}
