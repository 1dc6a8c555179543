//! Upstreams whose answers are broken or misleading: passed on or refused, and never stored.

use deja_tests::{Answer, Api, Deja, Gate, Reply, Setup, Upstream, cache_status, whole};
use reqwest::Method;
use serde_json::{Value, json};

/// A server in front of an upstream that answers each request with this.
async fn in_front_of(api: Api, reply: Reply) -> (Upstream, Deja) {
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let deja = Setup::new(&upstream.backend(api)).start().await;
    (upstream, deja)
}

fn chat(message: &Value, finish_reason: &str) -> Value {
    let choice = json!({"index": 0, "message": message, "finish_reason": finish_reason});
    json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
}

/// Asks twice, and says whether the second answer was a hit.
async fn is_stored(deja: &Deja, api: Api) -> bool {
    let ask = async || {
        let reply = deja.send(api, &api.question("Again?")).await;
        let status = reply.headers().get("cache-status").cloned();
        reply.bytes().await.expect("the answer comes");
        status.is_some_and(|status| status.to_str().is_ok_and(|text| text.contains("; hit")))
    };
    ask().await;
    ask().await
}

#[tokio::test]
async fn a_hit_keeps_tool_call_ids_that_mean_something() {
    for (id, is_kept) in [
        ("D681PevKs", true),
        ("functions.get_weather:0", true),
        ("call_1__thought__Q2lRQWJj", true),
        ("call_8ab3", false),
    ] {
        let answer = Answer::text("").calling(id, "get_weather", json!({"city": "Paris"}));
        let document = Api::OpenAi.document(&answer);
        let (_upstream, deja) = in_front_of(Api::OpenAi, Reply::json(&document)).await;
        let request = Api::OpenAi.question("How is the weather?");
        deja.ask(&request).await;
        let (status, again) = deja.ask(&request).await;
        assert!(status.contains("hit"), "{status}");
        let hit = &again["choices"][0]["message"]["tool_calls"][0]["id"];
        assert_eq!(*hit == id, is_kept, "{id}: {hit}");
    }
}

#[tokio::test]
async fn a_stream_whose_content_changes_its_type_is_passed_on_and_not_stored() {
    let chunk = |content: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": {"content": content}, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "1", "choices": [choice]}))
    };
    let thought = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]);
    let frames = [
        chunk(thought, None),
        chunk("Paris.".into(), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (upstream, deja) = in_front_of(Api::OpenAi, Reply::frames(frames.clone())).await;
    let request = Api::OpenAi.streamed_question("Where?");
    for _ in 0..2 {
        let reply = deja.chat(&request).await;
        assert!(cache_status(&reply).contains("fwd=miss"));
        assert_eq!(reply.text().await.expect("it comes"), frames.concat());
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn content_that_cannot_be_translated_is_an_error_and_not_stored() {
    let image = json!([{"type": "image_url", "image_url": {"url": "data:,"}}]);
    let document = chat(&json!({"role": "assistant", "content": image}), "stop");
    let (upstream, deja) = in_front_of(Api::OpenAi, Reply::json(&document)).await;
    for asked in 1..=2 {
        let question = Api::Anthropic.question("What do you see?");
        let reply = deja.send(Api::Anthropic, &question).await;
        assert!(reply.status().is_server_error(), "{}", reply.status());
        assert_eq!(upstream.count(), asked);
    }
}

#[tokio::test]
async fn an_answer_that_loses_a_part_in_translation_is_passed_on_and_not_stored() {
    let cited = json!({"role": "assistant", "content": "Paris.", "annotations": [{"url": "x"}]});
    let block = json!({"type": "text", "text": "Paris.", "citations": [{"url": "x"}]});
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [block],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    for (client, api, document) in [
        (Api::Anthropic, Api::OpenAi, chat(&cited, "stop")),
        (Api::OpenAi, Api::Anthropic, message),
    ] {
        let (upstream, deja) = in_front_of(api, Reply::json(&document)).await;
        for asked in 1..=2 {
            let answer = whole(deja.send(client, &client.question("Where?")).await).await;
            assert_eq!(client.text(&answer), "Paris.");
            assert_eq!(upstream.count(), asked);
        }
        assert!(
            is_stored(&deja, api).await,
            "nothing is lost to a client of its own API"
        );
    }
}

#[tokio::test]
async fn only_good_ends_are_stored() {
    let text = json!({"role": "assistant", "content": "Paris."});
    let mut failed = chat(&text, "stop");
    failed["choices"][0]["error"] = json!({"code": 502, "message": "no"});
    for (document, stored) in [
        (chat(&text, "stop"), true),
        (chat(&text, "length"), true),
        (chat(&text, "content_filter"), false),
        (chat(&text, "insufficient_system_resource"), false),
        (failed, false),
    ] {
        let (_upstream, deja) = in_front_of(Api::OpenAi, Reply::json(&document)).await;
        assert_eq!(is_stored(&deja, Api::OpenAi).await, stored, "{document}");
    }
}

#[tokio::test]
async fn an_answer_with_fewer_choices_than_wanted_is_not_stored() {
    let document = chat(&json!({"role": "assistant", "content": "Paris."}), "stop");
    let (upstream, deja) = in_front_of(Api::OpenAi, Reply::json(&document)).await;
    let mut request = Api::OpenAi.question("Where?");
    request["n"] = 2.into();
    for _ in 0..2 {
        let (_, answer) = deja.ask(&request).await;
        assert_eq!(answer["choices"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn only_answers_of_status_200_are_stored() {
    let document = Api::OpenAi.document(&Answer::text("Paris."));
    for status in [201, 203, 206] {
        let reply = Reply::json(&document).status(status);
        let (upstream, deja) = in_front_of(Api::OpenAi, reply).await;
        for _ in 0..2 {
            let reply = deja.chat(&Api::OpenAi.question("Where?")).await;
            assert_eq!(reply.status(), status);
            let answer: Value = reply.json().await.expect("it is JSON");
            assert_eq!(Api::OpenAi.text(&answer), "Paris.");
        }
        assert_eq!(upstream.count(), 2);
    }
}

#[tokio::test]
async fn streams_are_recognised_by_their_content() {
    let frames = Api::OpenAi.frames(&Answer::text("It is Paris."), false);
    for kind in [
        "Text/Event-Stream",
        "text/event-stream ;charset=UTF-8",
        "application/json",
        "text/plain",
    ] {
        let reply = Reply::body(kind, frames.concat());
        let (_upstream, deja) = in_front_of(Api::OpenAi, reply).await;
        assert!(is_stored(&deja, Api::OpenAi).await, "{kind}");
    }
    let document = Api::OpenAi.document(&Answer::text("It is Paris."));
    let reply = Reply::body("text/event-stream", document.to_string());
    let (_upstream, deja) = in_front_of(Api::OpenAi, reply).await;
    assert!(is_stored(&deja, Api::OpenAi).await);
}

#[tokio::test]
async fn absurd_token_counts_do_no_harm() {
    let mut document = Api::Anthropic.document(&Answer::text("Paris."));
    document["usage"] = json!({
        "input_tokens": u64::MAX, "cache_creation_input_tokens": u64::MAX,
        "cache_read_input_tokens": u64::MAX, "output_tokens": u64::MAX,
    });
    let (_upstream, deja) = in_front_of(Api::Anthropic, Reply::json(&document)).await;
    assert!(is_stored(&deja, Api::Anthropic).await);
    assert!(deja.health().await["cache"].is_object());
}

#[tokio::test]
async fn an_answer_asked_for_before_a_purge_is_not_stored_after_it() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::start(move |asked| {
        Api::OpenAi
            .reply(asked, &Answer::text("It is Paris."))
            .after(&held)
    })
    .await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let request = Api::OpenAi.question("Where?");
    let purge = async {
        upstream.wait_for(1).await;
        let purge = deja.request(Method::DELETE, "/admin/cache").send().await;
        assert_eq!(purge.expect("the server answers").status(), 200);
        gate.open();
    };
    let (reply, ()) = tokio::join!(deja.chat(&request), purge);
    whole(reply).await;
    let (status, _) = deja.ask(&request).await;
    assert!(status.contains("fwd=miss"), "{status}");
    let (status, _) = deja.ask(&request).await;
    assert!(status.contains("hit"), "{status}");
}
