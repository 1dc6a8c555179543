//! A start that cannot work says why, in one go.

use std::{fs, net::TcpListener, process::Output};

use deja_tests::{Answer, Api, Setup, Upstream, required};

fn complaint(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr);
    let at = log
        .find("deja: ")
        .unwrap_or_else(|| panic!("no complaint in: {log}"));
    log[at..].trim_end().to_owned()
}

/// The one line with which a start fails whose settings are readable.
async fn failure(setup: &Setup) -> String {
    let output = setup.run_to_end().await;
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(!complaint.contains('\n'), "{complaint}");
    complaint
}

#[tokio::test]
async fn all_mistakes_are_reported_each_with_its_line() {
    let setup = Setup::new("[server]\nlisten = \"8081\"\n[cache]\nmax_byte = 1\nttl = \"soon\"\n");
    let output = setup.run_to_end().await;
    assert_eq!(output.status.code(), Some(2));
    let complaint = complaint(&output);
    let lines: Vec<_> = complaint.lines().collect();
    assert_eq!(lines.len(), 4, "{complaint}");
    assert!(lines[0].contains("3 mistakes in"), "{complaint}");
    for (line, start) in lines[1..].iter().zip([
        "line 2: `server.listen`",
        "line 4: unknown setting `cache.max_byte`; did you mean `max_bytes`?",
        "line 5: `cache.ttl`",
    ]) {
        assert!(line.trim_start().starts_with(start), "{line}");
    }
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_told_so() {
    let setup = Setup::new("");
    fs::remove_file(setup.config()).expect("the file is there");
    let output = setup.run_to_end().await;
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("deja.toml"));
}

#[tokio::test]
async fn a_port_in_use_is_told_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let setup = Setup::new(&format!("[server]\nlisten = \"{address}\"\n"));
    let failure = failure(&setup).await;
    assert!(
        failure.contains(&format!("{address} is in use")),
        "{failure}"
    );
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_told_so() {
    let home = required("DEJA_HOME");
    let model = std::path::Path::new(&home).join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let bytes = fs::read(model).expect("the default model is there");
    let setup = Setup::new("[[backend]]\nkind = \"mlx\"\nmodel = \"model.gguf\"\n");
    let file = setup.config().with_file_name("model.gguf");
    for content in [
        None,
        Some(&bytes[..bytes.len() / 2]),
        Some(b"GGUF"),
        Some(b"# a text"),
    ] {
        if let Some(content) = content {
            fs::write(&file, content).expect("the file can be written");
        }
        let failure = failure(&setup).await;
        assert!(failure.contains("model.gguf"), "{failure}");
    }
}

#[tokio::test]
async fn a_plugin_that_is_no_component_is_told_so() {
    let setup = Setup::new("");
    setup.drop_file("exact", b"not a component");
    let failure = failure(&setup).await;
    assert!(failure.contains("exact.wasm"), "{failure}");
}

#[tokio::test]
async fn a_plugin_that_is_nowhere_is_told_so() {
    let failure = failure(&Setup::new("[[keyer]]\nplugin = \"exakt\"\n")).await;
    assert!(failure.contains("exakt"), "{failure}");
}

#[tokio::test]
async fn a_key_is_read_without_the_line_break_behind_it() {
    const API: Api = Api::OpenAi;
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let settings = upstream.backend(API) + "api_key_env = \"DEJA_TEST_KEY\"\n";
    let setup = Setup::new(&settings).env("DEJA_TEST_KEY", "s3cret\r\n");
    let deja = setup.start().await;
    deja.answer(API, "May I?").await;
    assert_eq!(upstream.last().header("authorization"), "Bearer s3cret");
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_a_mistake() {
    let settings = Api::OpenAi.backend("http://127.0.0.1:1") + "api_key_env = \"DEJA_TEST_KEY\"\n";
    let setup = Setup::new(&settings).env("DEJA_TEST_KEY", "s3\ncret");
    let output = setup.run_to_end().await;
    assert_eq!(output.status.code(), Some(2));
    let complaint = complaint(&output);
    assert!(
        complaint.contains("line 7: `backend.api_key_env`")
            && complaint.contains("`DEJA_TEST_KEY`, which holds a control character"),
        "{complaint}"
    );
    assert!(!complaint.contains("cret"), "{complaint}");
}

#[tokio::test]
async fn a_token_that_is_wanted_has_to_be_set() {
    let setup = Setup::new("[admin]\nrequire_token = true\n");
    let output = setup.run_to_end().await;
    let complaint = complaint(&output);
    assert!(
        complaint.contains("`admin.require_token` needs a token"),
        "{complaint}"
    );
}
