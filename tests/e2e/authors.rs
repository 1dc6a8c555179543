//! From nothing to a plugin that a running server has loaded.

use std::{fs, path::Path};

use deja_tests::{Deja, QUESTION, deja_command, printed, question};
use tokio::process::Command;

async fn deja(arguments: &[&str], folder: &Path) -> String {
    printed(&mut deja_command(arguments, folder)).await
}

#[tokio::test]
async fn a_new_crate_passes_its_tests_and_would_be_loaded() {
    let folder = tempfile::tempdir().expect("there is room");
    // One target folder: the SDK is compiled once.
    let target = folder.path().join("target");
    for kind in ["keyer", "eviction", "stats"] {
        let name = format!("my-{kind}");
        deja(&["plugin", "new", &name, "--kind", kind], folder.path()).await;
        let own = folder.path().join(&name);
        let mut test = Command::new("cargo");
        test.arg("test")
            .env("CARGO_TARGET_DIR", &target)
            .current_dir(&own);
        printed(&mut test).await;
        let mut build = deja_command(&["plugin", "build"], &own);
        printed(build.env("CARGO_TARGET_DIR", &target)).await;
        let told = deja(&["plugin", "check", &format!("dist/{name}.wasm")], &own).await;
        assert!(told.contains(&format!("kind      {kind}")), "{told}");
        assert!(told.contains("accepted"), "{told}");
    }
}

#[tokio::test]
async fn a_running_server_tells_what_it_has_loaded() {
    let deja = Deja::start().await;
    deja.ask(&question(QUESTION)).await;
    let list = ["plugin", "list", "--url", deja.url()];
    let listed = self::deja(&list, Path::new(".")).await;
    let keyer = listed.lines().find(|line| line.starts_with("keyer"));
    let cells: Vec<_> = keyer.expect("it is listed").split_whitespace().collect();
    assert_eq!(
        (cells[1], cells[4], cells[6], cells[7]),
        ("exact", "1", "0", "closed"),
        "{listed}"
    );

    deja.setup().drop_file("exact", b"not a component");
    deja.wait_for("the rejection", |health| {
        health["plugins"][0]["rejected"].is_string()
    })
    .await;
    let listed = self::deja(&list, Path::new(".")).await;
    assert!(listed.contains("newest file not loaded: "), "{listed}");
}

#[tokio::test]
async fn what_no_server_would_load_is_an_error() {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("text.wasm"), "text").expect("it can be written");
    let mut check = deja_command(&["plugin", "check", "text.wasm"], folder.path());
    let output = check.output().await.expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("it is not webassembly"),
        "{errors}"
    );
}
