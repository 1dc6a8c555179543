//! Programs in Python: clients that people use, and the reference parser of metrics.

use serde_json::Value;
use tokio::process::Command;

use crate::required;

/// What a program beside the tests prints, as JSON.
pub async fn python(script: &str, arguments: &[&str]) -> Value {
    let script = format!("{}/e2e/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut program = Command::new(required("DEJA_PYTHON"));
    program.args(["-B", &script]).args(arguments);
    let output = program.output().await.expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{script}: {errors}"))
}
