//! The examples build with the commands that their READMEs name, and do what they say. One whose
//! toolchain is not here is skipped, and says so.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use deja_tests::{deja_command, printed};
use tokio::process::Command;

fn folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(example)
}

async fn deja(arguments: &[&str], folder: &Path) -> String {
    printed(&mut deja_command(arguments, folder)).await
}

/// Whether a program is here. One that is not is told of, past the test harness, which keeps quiet
/// about what passes.
async fn has(program: &str, example: &str) -> bool {
    let mut version = Command::new(program);
    version
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_here = version.status().await.is_ok_and(|status| status.success());
    if !is_here {
        let _ = writeln!(std::io::stderr(), "skipped: {example} needs {program}");
    }
    is_here
}

/// All keyers do the same: of three questions two become one, by the same rules.
async fn decides(example: &str) {
    let folder = folder(example);
    let component = format!("dist/{example}.wasm");
    let test = ["plugin", "test", &component, "--requests", "../requests"];
    let found = deja(&test, &folder).await;
    for line in [
        "decisions      3 cached, 0 looked up only, 0 bypassed, 0 failed",
        "rule case: 2 edits in 2 requests",
        "rule drop: 2 edits in 2 requests",
        "keys           2; 3 without this keyer",
        "deterministic  yes",
    ] {
        assert!(found.contains(line), "{line}: {found}");
    }
    let check = [
        "plugin",
        "check",
        &component,
        "--config",
        r#"{"fold_case": false}"#,
    ];
    let told = deja(&check, &folder).await;
    assert!(
        told.contains("accepted") && told.contains("fold_case"),
        "{told}"
    );
    assert!(!told.contains("wasi:"), "{told}");
}

#[tokio::test]
async fn the_keyer_in_rust() {
    deja(&["plugin", "build"], &folder("keyer-rust")).await;
    decides("keyer-rust").await;
}

#[tokio::test]
async fn the_keyer_in_javascript() {
    let folder = folder("keyer-javascript");
    if !has("npm", "keyer-javascript").await {
        return;
    }
    for arguments in [&["ci"][..], &["run", "build"], &["test"]] {
        printed(Command::new("npm").args(arguments).current_dir(&folder)).await;
    }
    decides("keyer-javascript").await;
}

#[tokio::test]
async fn the_keyer_in_python() {
    if !has("python3", "keyer-python").await {
        return;
    }
    printed(&mut Command::new(folder("keyer-python").join("build.sh"))).await;
    decides("keyer-python").await;
}

#[tokio::test]
async fn the_eviction_policy_in_rust() {
    let folder = folder("eviction-rust");
    deja(&["plugin", "build"], &folder).await;
    let check = ["plugin", "check", "dist/eviction-rust.wasm"];
    let told = deja(&check, &folder).await;
    assert!(
        told.contains("kind      eviction") && told.contains("accepted"),
        "{told}"
    );
}
