//! Programs that people use work with Deja as with the real thing.

use deja_tests::{Deja, required};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test]
async fn openais_python_sdk() {
    let deja = Deja::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/openai_client.py");
    let mut program = Command::new(required("DEJA_PYTHON"));
    let output = program
        .args(["-B", script, deja.url()])
        .output()
        .await
        .expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{errors}"));
    assert!(
        seen["cache_status"]
            .as_str()
            .is_some_and(|status| status.contains("fwd=miss"))
    );
    assert_eq!(seen["text"], "The capital of France is Paris.");
    assert_eq!(seen["streamed"], seen["text"]);
    assert_eq!(seen["tokens"], json!([45, 45]));
    assert_eq!(seen["refusal"], "temperature");
    assert_eq!(seen["models"], json!(["SmolLM2-135M-Instruct.Q4_1"]));
    assert_eq!(deja.health().await["cache"]["hits"], 1);
}
