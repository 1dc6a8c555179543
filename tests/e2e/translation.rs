//! Where client and upstream speak different APIs, each understands the other.

use deja_tests::{
    ANSWER_TOKENS, Answer, Api, Asked, PROMPT_TOKENS, Reply, Setup, Stop, Upstream, cache_status,
    streamed, whole,
};
use serde_json::{Value, json};

/// Clients whose upstream speaks the other API.
const CROSSED: [(Api, Api); 2] = [(Api::OpenAi, Api::Anthropic), (Api::Anthropic, Api::OpenAi)];

async fn answering(api: Api, answer: Answer) -> Upstream {
    Upstream::start(move |asked| api.reply(asked, &answer)).await
}

/// What the upstream gets of a client's request.
async fn asked(client: Api, upstream: Api, request: &Value) -> Asked {
    let server = answering(upstream, Answer::text("Yes.")).await;
    let deja = Setup::new(&server.backend(upstream)).start().await;
    whole(deja.send(client, request).await).await;
    server.last()
}

#[tokio::test]
async fn a_document_says_the_same() {
    for (client, upstream) in CROSSED {
        let server = answering(upstream, Answer::text("All is well.")).await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        let reply = deja.send(client, &client.question("How is it?")).await;
        assert!(cache_status(&reply).contains("fwd=miss; stored"));
        let answer = whole(reply).await;
        assert_eq!(client.text(&answer), "All is well.");
        assert_eq!(
            client.tokens(&answer),
            (&PROMPT_TOKENS.into(), &ANSWER_TOKENS.into())
        );
        assert_eq!(server.last().target, upstream.path());
        let (status, _) = deja.answer(client, "How is it?").await;
        assert!(status.contains("hit"), "{status}");
        let (status, _) = deja.answer(upstream, "How is it?").await;
        assert!(
            status.contains("miss"),
            "the endpoint is in the key: {status}"
        );
    }
}

#[tokio::test]
async fn a_stream_says_the_same() {
    for (client, upstream) in CROSSED {
        let server = answering(upstream, Answer::text("All is well.")).await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        let mut request = client.streamed_question("How is it?");
        if client == Api::OpenAi {
            request["stream_options"] = json!({"include_usage": true});
        }
        let stream = streamed(deja.send(client, &request).await).await;
        assert_eq!(stream.text(), "All is well.");
        assert!(stream.is_whole && stream.error().is_none(), "{stream:?}");
        let (stop, tokens) = match client {
            Api::OpenAi => ("/choices/0/finish_reason", "/usage/completion_tokens"),
            Api::Anthropic => ("/delta/stop_reason", "/usage/output_tokens"),
        };
        assert_eq!(stream.last(stop), client.stop_name(Stop::End));
        assert_eq!(stream.last(tokens), ANSWER_TOKENS);
        assert!(server.last().wants_stream());
    }
}

#[tokio::test]
async fn reasons_to_stop_are_told_in_the_clients_words() {
    for (client, upstream) in CROSSED {
        for stop in [Stop::End, Stop::Length, Stop::Refusal] {
            let server = answering(upstream, Answer::text("So").stopping(stop)).await;
            let deja = Setup::new(&server.backend(upstream)).start().await;
            let answer = whole(deja.send(client, &client.question("Go on.")).await).await;
            assert_eq!(client.stop(&answer), client.stop_name(stop));
        }
    }
}

#[tokio::test]
async fn anthropics_request_becomes_one_of_openais() {
    let request = json!({
        "model": "m", "max_tokens": 5, "stop_sequences": ["END"], "top_p": 0.5,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look:"}, {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
            }]},
            {"role": "system", "content": "The folder is /srv."},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "A tool can tell.", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "it"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a cat"},
                {"type": "text", "text": "Well?"},
            ]},
        ],
        "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"},
    });
    let body = asked(Api::Anthropic, Api::OpenAi, &request).await.json();
    assert_eq!(
        (&body["model"], &body["max_tokens"]),
        (&json!("m"), &json!(5))
    );
    assert_eq!(
        (&body["stop"], &body["top_p"]),
        (&json!(["END"]), &json!(0.5))
    );
    assert_eq!(body["tool_choice"], "required");
    assert_eq!(body["tools"][0]["function"]["name"], "look");
    assert_eq!(
        body["tools"][0]["function"]["parameters"],
        json!({"type": "object"})
    );
    let messages = body["messages"].as_array().expect("there are messages");
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(
        roles,
        ["system", "user", "system", "assistant", "tool", "user"]
    );
    let image = &messages[1]["content"][1]["image_url"]["url"];
    assert_eq!(image, "data:image/png;base64,iVBORw0KGgo=");
    let call = &messages[3]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "look");
    assert_eq!(call["function"]["arguments"], "{\"at\":\"it\"}");
    assert_eq!(messages[4]["tool_call_id"], call["id"]);
    assert!(messages[4].to_string().contains("a cat"));
    assert!(messages[5].to_string().contains("Well?"));
    assert!(!body.to_string().contains("cache_control"), "{body}");
}

#[tokio::test]
async fn openais_request_becomes_one_of_anthropics() {
    let request = json!({
        "model": "m", "max_completion_tokens": 5, "stop": "END", "top_p": 0.5,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look:"}, {
                "type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="},
            }]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function",
                    "function": {"name": "look", "arguments": "{\"at\":\"it\"}"}},
                {"id": "call_2", "type": "function",
                    "function": {"name": "look", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
            {"role": "tool", "tool_call_id": "call_2", "content": "a dog"},
            {"role": "user", "content": "Well?"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "look", "description": "Looks.", "parameters": {"type": "object"},
        }}],
        "tool_choice": "required",
    });
    let body = asked(Api::OpenAi, Api::Anthropic, &request).await.json();
    assert_eq!(
        (&body["model"], &body["max_tokens"]),
        (&json!("m"), &json!(5))
    );
    assert_eq!(
        (&body["stop_sequences"], &body["top_p"]),
        (&json!(["END"]), &json!(0.5))
    );
    assert!(body["system"].to_string().contains("Be brief."), "{body}");
    assert_eq!(body["tool_choice"]["type"], "any");
    assert_eq!(body["tools"][0]["name"], "look");
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object"}));
    let messages = body["messages"].as_array().expect("there are messages");
    let image = &messages[0]["content"][1]["source"];
    let expected = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    assert_eq!(image, &expected);
    let calls = &messages[1]["content"];
    assert_eq!(calls[0]["type"], "tool_use");
    assert_eq!(calls[0]["input"], json!({"at": "it"}));
    let results = &messages[2]["content"];
    assert_eq!(messages[2]["role"], "user");
    for result in 0..2 {
        assert_eq!(results[result]["type"], "tool_result");
        assert_eq!(results[result]["tool_use_id"], calls[result]["id"]);
    }
    assert!(
        messages
            .last()
            .is_some_and(|last| last.to_string().contains("Well?"))
    );
}

/// Requests with something that the other API has no form for, and the name of its field.
fn without_counterpart() -> [(Api, Api, Value, &'static str); 2] {
    let mut search = Api::Anthropic.question("What is new?");
    search["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let mut biased = Api::OpenAi.question("What is new?");
    biased["logit_bias"] = json!({"50256": -100});
    [
        (Api::Anthropic, Api::OpenAi, search, "tools[0].type"),
        (Api::OpenAi, Api::Anthropic, biased, "logit_bias"),
    ]
}

#[tokio::test]
async fn what_has_no_counterpart_is_refused_by_name() {
    for (client, upstream, request, field) in without_counterpart() {
        let server = answering(upstream, Answer::text("Much.")).await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        let reply = deja.send(client, &request).await;
        assert_eq!(reply.status(), 400);
        let error: Value = reply.json().await.expect("an error is JSON");
        assert_eq!(error["error"]["type"], "invalid_request_error");
        let message = error["error"]["message"].as_str();
        assert!(message.is_some_and(|text| text.contains(field)), "{error}");
        assert_eq!(server.count(), 0);
    }
}

#[tokio::test]
async fn what_has_no_counterpart_is_left_out_where_it_may_be_dropped() {
    for (client, upstream, request, _) in without_counterpart() {
        let server = answering(upstream, Answer::text("Much.")).await;
        let backend = server.backend(upstream) + "unsupported = \"drop\"\n";
        let deja = Setup::new(&backend).start().await;
        let answer = whole(deja.send(client, &request).await).await;
        assert_eq!(client.text(&answer), "Much.");
        let asked = server.last().json();
        assert_eq!((asked.get("tools"), asked.get("logit_bias")), (None, None));
    }
}

#[tokio::test]
async fn errors_come_in_the_clients_shape() {
    let statuses = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
    ];
    for (client, upstream) in CROSSED {
        for (status, anthropic) in statuses {
            let script = move |_: &_| {
                upstream
                    .error(status, "so it is")
                    .header("retry-after", "7")
            };
            let server = Upstream::start(script).await;
            let deja = Setup::new(&server.backend(upstream)).start().await;
            let reply = deja.send(client, &client.question("May I?")).await;
            assert_eq!(reply.status(), status);
            assert_eq!(reply.headers()["retry-after"], "7");
            let error: Value = reply.json().await.expect("an error is JSON");
            assert_eq!(error["error"]["message"], "so it is");
            match client {
                Api::Anthropic => {
                    assert_eq!(error["type"], "error");
                    assert_eq!(error["error"]["type"], anthropic);
                }
                Api::OpenAi => {
                    assert!(error["error"]["type"].is_string(), "{error}");
                    assert!(error["error"].get("code").is_some(), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_page_in_place_of_an_error_becomes_an_error() {
    for (client, upstream) in CROSSED {
        let page = || Reply::body("text/html", "<h1>Bad gateway</h1>").status(502);
        let server = Upstream::start(move |_| page()).await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        let reply = deja.send(client, &client.question("Anybody?")).await;
        assert_eq!(reply.status(), 502);
        let error: Value = reply.json().await.expect("an error is JSON");
        assert!(error["error"]["message"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn an_error_in_mid_stream_comes_in_the_clients_shape() {
    for (client, upstream) in CROSSED {
        let mut frames = upstream.frames(&Answer::text("one two"), false);
        frames.truncate(3);
        frames.push(upstream.error_frame("too much at once"));
        let server = Upstream::start(move |_| Reply::frames(frames.clone())).await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        let request = client.streamed_question("Go on.");
        let stream = streamed(deja.send(client, &request).await).await;
        assert!(!stream.is_whole);
        let error = stream.error().unwrap_or_else(|| panic!("{stream:?}"));
        assert_eq!(error["message"], "too much at once");
    }
}

#[tokio::test]
async fn a_call_of_tools_is_translated_whole_and_streamed() {
    let answer = Answer::text("Let me look.")
        .calling("toolu_1", "weather", json!({"city": "Paris"}))
        .calling("toolu_2", "weather", json!({"city": "Rome"}));
    let server = answering(Api::Anthropic, answer.clone()).await;
    let deja = Setup::new(&server.backend(Api::Anthropic)).start().await;
    let request = Api::OpenAi.question("Weather in Paris and Rome?");
    let whole_form = whole(deja.chat(&request).await).await;
    let message = &whole_form["choices"][0]["message"];
    assert_eq!(whole_form["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["content"], "Let me look.");
    for (call, city) in [(0, "Paris"), (1, "Rome")] {
        let function = &message["tool_calls"][call]["function"];
        let arguments = function["arguments"].as_str().expect("they are text");
        let arguments: Value = serde_json::from_str(arguments).expect("and JSON in it");
        assert_eq!(arguments, json!({"city": city}));
        assert_eq!(function["name"], "weather");
    }

    let server = answering(Api::OpenAi, answer).await;
    let deja = Setup::new(&server.backend(Api::OpenAi)).start().await;
    let request = Api::Anthropic.streamed_question("Weather in Paris and Rome?");
    let stream = streamed(deja.send(Api::Anthropic, &request).await).await;
    assert_eq!(stream.last("/delta/stop_reason"), "tool_use");
    let (mut blocks, mut inputs) = (Vec::new(), vec![String::new(); 3]);
    for chunk in &stream.chunks {
        if chunk["type"] == "content_block_start" {
            assert_eq!(chunk["index"], blocks.len());
            blocks.push(chunk["content_block"]["type"].clone());
        }
        if let Some(part) = chunk["delta"]["partial_json"].as_str() {
            inputs[blocks.len() - 1].push_str(part);
        }
    }
    assert_eq!(blocks, ["text", "tool_use", "tool_use"]);
    assert_eq!(inputs[1..], ["{\"city\":\"Paris\"}", "{\"city\":\"Rome\"}"]);
}
