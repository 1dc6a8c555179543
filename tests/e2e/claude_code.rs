//! Requests of the shape that Claude Code sends.

use deja_tests::{Answer, Api, Deja, Setup, Upstream, cache_status, streamed, whole};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const API: Api = Api::Anthropic;
const KEYER: &str = "[[keyer]]\nplugin = \"claude-code\"\n";

/// What differs between two runs of the same prompt.
#[derive(Clone, Copy)]
struct Session {
    id: &'static str,
    /// Changes with every request of some versions.
    checksum: &'static str,
    retry: &'static str,
}

const FIRST: Session = Session {
    id: "11111111-aaaa-4aaa-8aaa-111111111111",
    checksum: "36ee5",
    retry: "0",
};
const SECOND: Session = Session {
    id: "22222222-bbbb-4bbb-8bbb-222222222222",
    checksum: "90ab1",
    retry: "1",
};

/// A request as Claude Code sends it: about 50 KB, 12 tools, streamed.
fn request(session: Session, prompt: &str) -> Value {
    let billing = format!(
        "x-anthropic-billing-header: cc_version=2.1.330.aad; cc_entrypoint=sdk-cli; cch={};",
        session.checksum
    );
    let user = json!({"device_id": "d0", "account_uuid": "", "session_id": session.id});
    let cached = json!({"type": "ephemeral"});
    json!({
        "model": "claude-opus",
        "max_tokens": 128_000,
        "stream": true,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking", "keep": "all"}]},
        "metadata": {"user_id": user.to_string()},
        "system": [
            {"type": "text", "text": billing},
            {"type": "text", "text": "You work on code.", "cache_control": cached},
            {"type": "text", "text": "Follow the rules. ".repeat(1200), "cache_control": cached},
        ],
        "tools": (0..12).map(tool).collect::<Value>(),
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nToday's date is 2026-08-16.\n</system-reminder>"},
                {"type": "text", "text": "<system-reminder>\ngitStatus: clean\n</system-reminder>"},
                {"type": "text", "text": prompt, "cache_control": cached},
            ]},
            {"role": "system", "content": "Working directory: /srv/app\nPlatform: linux"},
        ],
    })
}

fn tool(number: usize) -> Value {
    json!({
        "name": format!("Tool{number}"),
        "description": "Does what it says. ".repeat(100),
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
    })
}

async fn send(deja: &Deja, session: Session, prompt: &str) -> Response {
    let request_as_client = deja
        .request(Method::POST, "/v1/messages?beta=true")
        .header("x-api-key", "sk-ant-test")
        .header("anthropic-version", "2023-06-01")
        .header(
            "anthropic-beta",
            "claude-code-20250219,interleaved-thinking-2025-05-14",
        )
        .header("x-claude-code-session-id", session.id)
        .header("x-stainless-retry-count", session.retry)
        .header("user-agent", "claude-cli/2.1.330 (external, sdk-cli)");
    let reply = request_as_client
        .json(&request(session, prompt))
        .send()
        .await;
    reply.expect("the server answers")
}

async fn deja(upstream_api: Api, settings: &str) -> (Upstream, Deja) {
    let answer = Answer::text("It is done.").after_thinking("Let me see.");
    let upstream = Upstream::start(move |asked| upstream_api.reply(asked, &answer)).await;
    let settings = upstream.backend(upstream_api) + settings;
    (upstream, Setup::new(&settings).start().await)
}

#[tokio::test]
async fn the_same_prompt_in_two_sessions_is_asked_once() {
    for upstream_api in [Api::Anthropic, Api::OpenAi] {
        let (upstream, deja) = deja(upstream_api, KEYER).await;
        let first = send(&deja, FIRST, "Mend the test.").await;
        assert!(cache_status(&first).contains("fwd=miss"));
        let first = streamed(first).await;
        let second = send(&deja, SECOND, "Mend the test.").await;
        assert!(
            cache_status(&second).contains("hit"),
            "{}",
            cache_status(&second)
        );
        let second = streamed(second).await;
        assert_eq!((second.text(), second.is_whole), (first.text(), true));
        assert_eq!(first.text(), "It is done.");
        assert!(
            second
                .chunks
                .iter()
                .any(|chunk| chunk["delta"]["thinking"] == "Let me see.")
        );
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test]
async fn another_prompt_is_asked() {
    let (upstream, deja) = deja(API, KEYER).await;
    streamed(send(&deja, FIRST, "Mend the test.").await).await;
    let other = send(&deja, SECOND, "Mend the Test.").await;
    assert!(cache_status(&other).contains("fwd=miss"));
    streamed(other).await;
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn without_the_keyer_no_session_meets_another() {
    let (upstream, deja) = deja(API, "[[keyer]]\nplugin = \"exact\"\n").await;
    for session in [FIRST, SECOND] {
        let reply = send(&deja, session, "Mend the test.").await;
        assert!(cache_status(&reply).contains("fwd=miss"));
        streamed(reply).await;
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn the_upstream_gets_what_was_sent() {
    let (upstream, deja) = deja(API, KEYER).await;
    streamed(send(&deja, FIRST, "Mend the test.").await).await;
    let asked = upstream.last();
    assert_eq!(asked.json(), request(FIRST, "Mend the test."));
    assert_eq!(asked.target, "/v1/messages?beta=true");
    assert_eq!(asked.header("x-claude-code-session-id"), FIRST.id);
    assert_eq!(
        asked.header("user-agent"),
        "claude-cli/2.1.330 (external, sdk-cli)"
    );
}

#[tokio::test]
async fn its_probe_is_answered() {
    let (_upstream, deja) = deja(API, KEYER).await;
    let probe = deja.request(Method::HEAD, "/").send().await;
    assert_eq!(probe.expect("the server answers").status(), 200);
}

#[tokio::test]
async fn tokens_are_counted_with_the_engine() {
    let deja = Deja::start().await;
    let messages = json!([{"role": "user", "content": "Hi!"}]);
    let count = json!({"model": "default", "messages": messages});
    let count = whole(
        deja.post("/v1/messages/count_tokens?beta=true", &count)
            .await,
    )
    .await;
    let ask = json!({"model": "default", "messages": messages, "max_tokens": 1});
    let answer = whole(deja.send(API, &ask).await).await;
    assert_eq!(count["input_tokens"], answer["usage"]["input_tokens"]);
}
