//! From nothing to a plugin that a running server has loaded.

use std::{env, fs, path::Path};

use deja_tests::{Deja, QUESTION, deja_command, printed, question, required};
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
        names_no_folder_of_its_builder(&own.join("dist").join(format!("{name}.wasm")));
    }
}

/// Who builds the same sources elsewhere gets the same component.
fn names_no_folder_of_its_builder(component: &Path) {
    let bytes = fs::read(component).expect("it was built");
    let text = String::from_utf8_lossy(&bytes);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let home = env::home_dir().expect("somebody builds");
    let folders = [component.parent(), repository, Some(&home)];
    for folder in folders.into_iter().flatten() {
        let folder = folder.to_str().expect("the path is text");
        assert!(!text.contains(folder), "{folder}");
    }
}

/// The file of a plugin that is built in.
fn standard(name: &str) -> String {
    let file = Path::new(&required("DEJA_PLUGINS")).join(format!("{name}.wasm"));
    file.into_os_string()
        .into_string()
        .expect("the path is text")
}

#[tokio::test]
async fn an_eviction_policy_is_tried_over_requests() {
    for name in ["lru", "w-tinylfu"] {
        let file = standard(name);
        let found = deja(&["plugin", "test", &file], Path::new(".")).await;
        for line in [
            "requests       100000\n",
            "0 named that are not held, 0 not named\n",
            "deterministic  yes\n",
            "hand-over      a new instance takes the state over and goes on alike\n",
        ] {
            assert!(found.contains(line), "{name}: {line}: {found}");
        }
        let hits = found.lines().find(|line| line.starts_with("hits"));
        assert_ne!(hits, Some("hits           0, 0.0%"));
    }
    let file = standard("fifo");
    let requests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/requests");
    let requests = requests.to_str().expect("the path is text");
    let test = [
        "plugin",
        "test",
        &file,
        "--requests",
        requests,
        "--rounds",
        "2",
    ];
    let found = deja(&test, Path::new(".")).await;
    assert!(
        found.starts_with("requests       6\ncapacity       1 entries"),
        "{found}"
    );
}

#[tokio::test]
async fn a_stats_component_is_tried_over_outcomes() {
    let file = standard("standard");
    let found = deja(&["plugin", "test", &file], Path::new(".")).await;
    for line in [
        "outcomes       10000, 64 in a call\n",
        "deterministic  yes\n",
        "hand-over      a new instance takes the state over and goes on alike\n",
    ] {
        assert!(found.contains(line), "{line}: {found}");
    }
    let reported = found.lines().find(|line| line.starts_with("reported"));
    assert!(
        reported.is_some_and(|line| !line.contains(" 0 ")),
        "{found}"
    );
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
