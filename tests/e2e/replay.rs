//! What a server recorded is replayed: under its own policies it gives the server's own hits.

use std::{fs, path::PathBuf, process::Stdio};

use deja_tests::{Answer, Api, Deja, Setup, Upstream, deja_command, eventually, printed, whole};
use serde_json::Value;

const API: Api = Api::OpenAi;

/// A server with room for two answers, which records.
async fn recorded(questions: &[(&str, &str)]) -> (Upstream, Deja) {
    let script = |asked: &deja_tests::Asked| API.reply(asked, &Answer::text("So it is."));
    let upstream = Upstream::start(script).await;
    let settings = upstream.backend(API) + "[cache]\nmax_entries = 2\n[trace]\nflush = \"10ms\"\n";
    let deja = Setup::new(&settings).start().await;
    for (user, question) in questions {
        let mut body = API.question(question);
        body["user"] = (*user).into();
        whole(deja.send(API, &body).await).await;
    }
    let all = questions.len();
    eventually("the records", async || {
        deja.health().await["trace"]["written"] == all
    })
    .await;
    (upstream, deja)
}

fn folder(deja: &Deja) -> PathBuf {
    let config = deja.setup().config();
    config.parent().expect("it lies in one").to_owned()
}

/// The run of this keyer, and of this policy for two entries.
fn run<'a>(results: &'a Value, keyer: &str, eviction: &str) -> &'a Value {
    let runs = results["cells"].as_array().expect("there are runs");
    let wanted = |run: &&Value| {
        run["keyer"]
            .as_str()
            .is_some_and(|name| name.starts_with(keyer))
            && run["eviction"] == eviction
            && [&Value::Null, &Value::from(2)].contains(&&run["entries"])
    };
    let run = runs.iter().find(wanted);
    run.unwrap_or_else(|| panic!("no run of {keyer} and {eviction}: {results:#}"))
}

#[tokio::test]
async fn a_replay_hits_as_the_server_did() {
    let asked = [
        ("ada", "One?"),
        ("ada", "Two?"),
        ("ada", "One?"),
        ("ada", "Three?"),
        ("ada", "One?"),
        ("bob", "One?"),
        ("ada", "Two?"),
    ];
    let (_upstream, deja) = recorded(&asked).await;
    let served = deja.health().await;
    let arguments = [
        "replay",
        "traces",
        r#"--keyer=exact,ignore-fields={"pointers":["/user"]}"#,
        "--eviction=lru",
        "--entries=2",
        "--out=out",
        "--json",
    ];
    let folder = folder(&deja);
    let replay = async || printed(&mut deja_command(&arguments, &folder)).await;
    let results: Value = serde_json::from_str(&replay().await).expect("it is JSON");
    let hits = |keyer, eviction| &run(&results, keyer, eviction)["hits"];
    assert_eq!(*hits("exact", "lru"), served["cache"]["hits"], "{served}");
    assert_eq!(*hits("ignore-fields", "lru"), 3);
    assert_eq!(*hits("exact", "infinite"), 3);
    assert_eq!(*hits("ignore-fields", "infinite"), 4);
    let merges = &run(&results, "ignore-fields", "infinite")["merges"];
    assert_eq!(merges["all"]["compared"], 1, "{merges}");
    let page = fs::read_to_string(folder.join("out/report.html")).expect("it was written");
    assert!(page.contains("ignore-fields"));
    // The second time all runs are known.
    let again: Value = serde_json::from_str(&replay().await).expect("it is JSON");
    assert_eq!(again["cells"], results["cells"]);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_named() {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("keys.txt"), "1\n2\n1\n").expect("there is room");
    for (arguments, told) in [
        (&["nowhere"][..], "nowhere"),
        (&["keys.txt", "--eviction=mru"], "mru"),
        (&["keys.txt", "--keyer=exact"], "keyer"),
    ] {
        let arguments = [&["replay"], arguments].concat();
        let mut replay = deja_command(&arguments, folder.path());
        let output = replay.stdin(Stdio::null()).output().await;
        let output = output.expect("it starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(told),
            "{told}: {error}"
        );
    }
}
