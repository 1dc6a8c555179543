//! Programs in Python: clients and servers that people use, and the reference parser of metrics.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, required};

/// What a program beside the tests prints, as JSON.
pub async fn python(script: &str, arguments: &[&str]) -> Value {
    let output = program(script, arguments).output().await;
    let output = output.expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{script}: {errors}"))
}

/// A server beside the tests, which its drop kills, and the port that it prints once it listens.
pub async fn python_server(script: &str, arguments: &[&str]) -> (Child, u16) {
    let mut program = program(script, arguments);
    program.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.kill_on_drop(true).spawn().expect("Python runs");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let line = timeout(PATIENCE, stdout.lines().next_line()).await;
    let port = line.ok().and_then(Result::ok).flatten();
    let port = port.and_then(|port| port.parse().ok());
    (
        child,
        port.unwrap_or_else(|| panic!("{script} did not start")),
    )
}

fn program(script: &str, arguments: &[&str]) -> Command {
    let script = format!("{}/e2e/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut program = Command::new(required("DEJA_PYTHON"));
    program.args(["-B", &script]).args(arguments);
    program
}
