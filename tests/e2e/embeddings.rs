//! The built-in engine embeds texts, and the cache remembers what became of them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deja_tests::{Deja, Setup, cache_status, python};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

const PATH: &str = "/v1/embeddings";

async fn embed(deja: &Deja, body: &Value) -> Response {
    let request = deja.request(Method::POST, PATH).json(body);
    request.send().await.expect("the server answers")
}

/// What the cache did, and the answer.
async fn ask(deja: &Deja, body: &Value) -> (String, Value) {
    let reply = embed(deja, body).await;
    assert_eq!(reply.status(), StatusCode::OK, "{body}");
    (
        cache_status(&reply),
        reply.json().await.expect("an answer is JSON"),
    )
}

fn floats(item: &Value) -> Vec<f32> {
    serde_json::from_value(item["embedding"].clone()).expect("it is a list of numbers")
}

fn decoded(item: &Value) -> Vec<f32> {
    let text = item["embedding"].as_str().expect("it is a text");
    let bytes = STANDARD.decode(text).expect("it is Base64");
    let (values, rest) = bytes.as_chunks();
    assert!(rest.is_empty(), "a number is cut short");
    values.iter().copied().map(f32::from_le_bytes).collect()
}

#[tokio::test]
async fn both_forms_say_the_same_and_the_second_ask_is_a_hit() {
    let deja = Deja::start().await;
    let request = json!({"model": "default", "input": ["France", "Paris", "France"]});
    let (status, first) = ask(&deja, &request).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    assert_eq!(
        (&first["object"], &first["model"]),
        (&json!("list"), &json!("default"))
    );
    let tokens = &first["usage"]["prompt_tokens"];
    assert!(tokens.as_u64() >= Some(3), "{tokens}");
    assert_eq!(&first["usage"]["total_tokens"], tokens);
    let items = first["data"].as_array().expect("it is a list");
    let vectors: Vec<_> = items.iter().map(floats).collect();
    assert_eq!(vectors.len(), 3);
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    for (index, (item, vector)) in items.iter().zip(&vectors).enumerate() {
        assert_eq!(
            (&item["object"], &item["index"]),
            (&json!("embedding"), &json!(index))
        );
        let length: f32 = vector.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    let (status, again) = ask(&deja, &request).await;
    assert!(status.starts_with("deja; hit;"), "{status}");
    assert_eq!(again, first);

    let mut request = request;
    request["encoding_format"] = "base64".into();
    let (status, coded) = ask(&deja, &request).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    let items = coded["data"].as_array().expect("it is a list");
    assert_eq!(items.iter().map(decoded).collect::<Vec<_>>(), vectors);

    request["dimensions"] = 4.into();
    let (_, short) = ask(&deja, &request).await;
    assert_eq!(decoded(&short["data"][0]).len(), 4);
}

#[tokio::test]
async fn bad_input_is_refused_with_the_fields_name() {
    let settings = "[[backend]]\nkind = \"mlx\"\ncontext_length = 64\n";
    let deja = Setup::new(settings).start().await;
    for (body, field) in [
        (json!({}), "input"),
        (json!({"input": ""}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": ["one", 7]}), "input"),
        (json!({"input": [4_000_000_000u32]}), "input"),
        (json!({"input": "word ".repeat(100)}), "input"),
        (
            json!({"input": "one", "dimensions": 1_000_000}),
            "dimensions",
        ),
        (
            json!({"input": "one", "encoding_format": "hex"}),
            "encoding_format",
        ),
    ] {
        let reply = embed(&deja, &body).await;
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST, "{body}");
        let document: Value = reply.json().await.expect("an error is JSON");
        let error = &document["error"];
        assert_eq!(error["param"], field, "{body}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
    }
    assert_eq!(deja.health().await["cache"]["cached_items"], 0);
}

#[tokio::test]
async fn openais_sdk_reads_the_vectors() {
    let deja = Deja::start().await;
    let seen = python("openai_client.py", &[deja.url(), "engine_embeddings"]).await;
    let seen = &seen["engine_embeddings"];
    assert_eq!(seen["default"], seen["float"], "{seen}");
    assert_eq!(seen["dimensions"], 8);
    assert_eq!(seen["refusal"], "input");
}
