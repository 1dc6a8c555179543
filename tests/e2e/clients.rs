//! Programs that people use work with Deja as with the real thing: the SDKs of both APIs, each with
//! upstreams of both.

use std::path::Path;

use deja_tests::{
    ANSWER_TOKENS, Answer, Api, Asked, Deja, PAIRS, PROMPT_TOKENS, Reply, Setup, Upstream, python,
    python_server, required,
};
use serde_json::{Value, json};

const CAPITAL: &str = "The capital of France is Paris.";

/// What a program does that uses the API's own SDK.
async fn sdk(api: Api, url: &str, scenes: &[&str]) -> Value {
    let script = match api {
        Api::OpenAi => "openai_client.py",
        Api::Anthropic => "anthropic_client.py",
    };
    python(script, &[&[url], scenes].concat()).await
}

/// A model that does what it is asked, as far as the tests ask it.
fn model(api: Api, asked: &Asked) -> Reply {
    let body = asked.json();
    let says = |words: &str| body.to_string().contains(words);
    let failure = body["model"]
        .as_str()
        .and_then(|model| model.strip_prefix("fails-"));
    if let Some(status) = failure {
        return api.error(status.parse().expect("it is a status"), "as scripted");
    }
    let answer = if says("\"tool_result\"") || says("\"role\":\"tool\"") {
        Answer::text("It is 21 degrees in Paris.")
    } else if body["tools"].is_array() {
        Answer::text("Let me see.").calling("toolu_1", "get_weather", json!({"city": "Paris"}))
    } else if says("iVBORw0KGgo") {
        Answer::text("It is a red pixel.")
    } else if says("Think first.") {
        Answer::text("Forty-two.").after_thinking("Six times seven.")
    } else {
        Answer::text(CAPITAL)
    };
    api.reply(asked, &answer)
}

async fn scripted(api: Api) -> (Upstream, Deja) {
    let upstream = Upstream::start(move |asked| model(api, asked)).await;
    let deja = Setup::new(&upstream.backend(api)).start().await;
    (upstream, deja)
}

/// One question, whole and streamed, and the other way round.
fn has_asked_and_remembered(seen: &Value) {
    assert_eq!(seen["texts"], Value::from(vec![CAPITAL; 4]));
    let statuses = seen["statuses"].as_array().expect("they are listed");
    let status = |at: usize| statuses[at].as_str().expect("each is told");
    assert!(status(0).contains("fwd=miss; stored"), "{statuses:?}");
    assert!(status(2).contains("fwd=miss; key="), "{statuses:?}");
    assert!(
        status(1).contains("hit") && status(3).contains("hit"),
        "{statuses:?}"
    );
}

/// The same, with the tokens of both questions and their answers.
fn has_counted(seen: &Value, first: [u32; 2], second: [u32; 2]) {
    has_asked_and_remembered(seen);
    assert_eq!(seen["tokens"], json!([first, first, second, second]));
}

#[tokio::test]
async fn sdks_and_the_engine() {
    let deja = Deja::start().await;
    let seen = sdk(
        Api::OpenAi,
        deja.url(),
        &["basics", "models", "completions"],
    )
    .await;
    has_counted(&seen["basics"], [37, 8], [38, 8]);
    let refusal = seen["basics"]["refusal"].as_str();
    assert!(
        refusal.is_some_and(|text| text.contains("temperature")),
        "{seen}"
    );
    assert_eq!(
        seen["models"]["listed"],
        json!(["SmolLM2-135M-Instruct.Q4_1"])
    );
    assert_eq!(seen["models"]["retrieved"], seen["models"]["listed"]);
    assert_eq!(seen["completions"][0], seen["completions"][1]);
    assert!(
        seen["completions"][0]
            .as_str()
            .is_some_and(|text| text.contains("Paris"))
    );

    let seen = sdk(Api::Anthropic, deja.url(), &["basics", "models", "count"]).await;
    has_counted(&seen["basics"], [37, 8], [38, 8]);
    let refusal = seen["basics"]["refusal"].as_str();
    assert!(
        refusal.is_some_and(|text| text.contains("temperature")),
        "{seen}"
    );
    assert_eq!(
        seen["models"]["retrieved"],
        json!(["SmolLM2-135M-Instruct.Q4_1"])
    );
    assert_eq!(seen["count"], 37);
}

#[tokio::test]
async fn sdks_ask_the_engine_for_calls_and_probabilities() {
    let deja = Deja::start().await;
    for api in [Api::OpenAi, Api::Anthropic] {
        let seen = sdk(api, deja.url(), &["wanted_tool"]).await;
        let once = json!([["get_weather"], ["get_weather"]]);
        assert_eq!(seen["wanted_tool"], once);
    }
    let seen = sdk(Api::OpenAi, deja.url(), &["variants"]).await;
    let expected = json!({
        "text": "The capital of", "tokens": ["The", " capital", " of"], "others": [2, 2, 2],
    });
    assert_eq!(seen["variants"], json!([expected, expected]));
}

#[tokio::test]
async fn sdks_and_a_chain_of_two() {
    let model = Deja::start().await;
    for (client, upstream) in PAIRS {
        let deja = Setup::new(&upstream.backend(model.url())).start().await;
        let seen = sdk(client, deja.url(), &["basics"]).await;
        has_counted(&seen["basics"], [37, 8], [38, 8]);
    }
}

#[tokio::test]
async fn sdks_and_upstreams_of_both_apis() {
    for (client, upstream) in PAIRS {
        let (server, deja) = scripted(upstream).await;
        let seen = sdk(client, deja.url(), &["basics"]).await;
        let tokens = [PROMPT_TOKENS, ANSWER_TOKENS];
        has_counted(&seen["basics"], tokens, tokens);
        assert!(
            server
                .asked()
                .iter()
                .all(|asked| asked.target == upstream.path())
        );
    }
}

#[tokio::test]
async fn sdks_call_tools_and_tell_their_results() {
    for (client, upstream) in PAIRS {
        let (server, deja) = scripted(upstream).await;
        let seen = sdk(client, deja.url(), &["tools"]).await;
        let rounds = seen["tools"].as_array().expect("they are listed");
        assert_eq!(rounds.len(), 3);
        for round in rounds {
            assert_eq!(round["stop"], true, "{client:?} {upstream:?}: {round}");
            assert_eq!(round["name"], "get_weather");
            assert_eq!(round["input"], json!({"city": "Paris"}));
            assert_eq!(round["answer"], "It is 21 degrees in Paris.");
        }
        assert_ne!(
            rounds[1]["id"], rounds[2]["id"],
            "a replayed call has an id of its own"
        );
        let (call, result) = match upstream {
            Api::OpenAi => ("/messages/1/tool_calls/0/id", "/messages/2/tool_call_id"),
            Api::Anthropic => (
                "/messages/1/content/1/id",
                "/messages/2/content/0/tool_use_id",
            ),
        };
        let bodies: Vec<_> = server.asked().iter().map(Asked::json).collect();
        let told = bodies.iter().filter(|body| body.pointer(result).is_some());
        for body in told.clone() {
            assert_eq!(body.pointer(call), body.pointer(result), "{body}");
        }
        assert_ne!(told.count(), 0);
    }
}

#[tokio::test]
async fn sdks_send_images_and_read_thoughts() {
    for (client, upstream) in PAIRS {
        let (_server, deja) = scripted(upstream).await;
        let seen = sdk(client, deja.url(), &["images", "thinking"]).await;
        assert_eq!(
            seen["images"], "It is a red pixel.",
            "{client:?} {upstream:?}"
        );
        let thought = json!(["Six times seven.", "Forty-two."]);
        assert_eq!(seen["thinking"], json!([thought, thought]));
    }
}

#[tokio::test]
async fn sdks_raise_their_own_errors() {
    for (client, upstream) in PAIRS {
        let (_server, deja) = scripted(upstream).await;
        let seen = sdk(client, deja.url(), &["errors"]).await;
        let expected = json!([
            [400, "BadRequestError", true],
            [401, "AuthenticationError", true],
            [403, "PermissionDeniedError", true],
            [404, "NotFoundError", true],
            [429, "RateLimitError", true],
            [500, "InternalServerError", true],
        ]);
        assert_eq!(seen["errors"], expected, "{client:?} {upstream:?}");
    }
}

#[tokio::test]
async fn sdks_use_what_openai_alone_has() {
    let script = |asked: &Asked| match (asked.target.as_str(), asked.wants_stream()) {
        ("/v1/embeddings", _) => Reply::json(&json!({
            "object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1},
            "data": [{"object": "embedding", "index": 0, "embedding": [0.125, -2.5]}],
        })),
        ("/v1/completions", stream) => completion(stream),
        (other, _) => panic!("nobody asked for {other}"),
    };
    let upstream = Upstream::start(script).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let seen = sdk(Api::OpenAi, deja.url(), &["completions", "embeddings"]).await;
    assert_eq!(seen["completions"], json!([" Paris", " Paris"]));
    assert_eq!(seen["embeddings"], json!([[0.125, -2.5], [0.125, -2.5]]));
    assert_eq!(upstream.count(), 2, "the second of each is a hit");
}

#[tokio::test]
async fn sdks_and_mlx_lms_own_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let model = Path::new(&required("DEJA_HOME")).join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/engine/tests/engine");
    let places = [
        reference,
        model.to_str().expect("a path is text"),
        folder.path().to_str().expect("a path is text"),
    ];
    let (_server, port) = python_server("mlx_lm_server.py", &places).await;
    // Any other name would make it look for a model of that name elsewhere.
    let settings = Api::OpenAi.backend(&format!("http://127.0.0.1:{port}"))
        + "aliases = { \"*\" = \"default_model\" }\n";
    for client in [Api::OpenAi, Api::Anthropic] {
        let deja = Setup::new(&settings).start().await;
        let seen = sdk(client, deja.url(), &["basics"]).await;
        has_asked_and_remembered(&seen["basics"]);
    }
}

/// An answer of the old completions.
fn completion(stream: bool) -> Reply {
    let document = json!({
        "id": "cmpl-scripted", "object": "text_completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "text": " Paris", "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
    });
    if stream {
        Reply::frames([
            format!("data: {document}\n\n"),
            "data: [DONE]\n\n".to_owned(),
        ])
    } else {
        Reply::json(&document)
    }
}

#[tokio::test]
async fn sdks_list_the_models_of_an_upstream() {
    for (client, upstream) in PAIRS {
        let listed = json!({
            "object": "list", "has_more": false, "first_id": "scripted", "last_id": "scripted",
            "data": [{
                "id": "scripted", "object": "model", "created": 1, "owned_by": "nobody",
                "type": "model", "display_name": "Scripted", "created_at": "2026-01-01T00:00:00Z",
            }],
        });
        let script = move |asked: &Asked| match asked.target.split('?').next() {
            Some("/v1/models") => Reply::json(&listed),
            Some("/v1/models/scripted") => Reply::json(&listed["data"][0]),
            other => panic!("nobody asked for {other:?}"),
        };
        let server = Upstream::start(script).await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        let seen = sdk(client, deja.url(), &["models"]).await;
        let expected = json!({"listed": ["scripted"], "retrieved": ["scripted"]});
        assert_eq!(seen["models"], expected, "{client:?} {upstream:?}");
    }
}
