//! `OpenAI`'s Responses API, over every backend.

use deja_tests::{
    ANSWER_TOKENS, Answer, Api, Asked, Deja, PROMPT_TOKENS, Reply, Setup, Upstream, cache_status,
    whole,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const PATH: &str = "/v1/responses";

fn question(input: &str) -> Value {
    json!({"model": "m", "input": input})
}

async fn ask(deja: &Deja, body: &Value) -> (String, Value) {
    let reply = deja.post(PATH, body).await;
    let status = cache_status(&reply);
    (status, whole(reply).await)
}

async fn ask_as(deja: &Deja, key: &str, body: &Value) -> Response {
    let request = deja.request(Method::POST, PATH).bearer_auth(key).json(body);
    request.send().await.expect("the server answers")
}

/// The events of a stream, each with its name.
async fn events(deja: &Deja, body: &Value) -> Vec<Value> {
    let mut body = body.clone();
    body["stream"] = true.into();
    let reply = deja.post(PATH, &body).await;
    assert_eq!(reply.status(), 200);
    let text = reply.text().await.expect("it comes");
    let event = |frame: &str| {
        let (name, data) = frame.split_once("\ndata: ").expect("an event has a name");
        let event: Value = serde_json::from_str(data).expect("it is JSON");
        assert_eq!(name.strip_prefix("event: "), event["type"].as_str());
        event
    };
    text.split_terminator("\n\n").map(event).collect()
}

fn text(response: &Value) -> String {
    let items = response["output"].as_array().into_iter().flatten();
    let parts = items.flat_map(|item| item["content"].as_array().into_iter().flatten());
    parts.filter_map(|part| part["text"].as_str()).collect()
}

async fn error(reply: Response) -> Value {
    let mut document: Value = reply.json().await.expect("an error is JSON");
    document["error"].take()
}

/// An upstream of one of the older APIs, which has no other endpoint.
async fn older(api: Api, answer: Answer) -> Upstream {
    Upstream::start(move |asked| {
        if asked.target.starts_with(api.path()) {
            api.reply(asked, &answer)
        } else {
            api.error(404, "no such endpoint")
        }
    })
    .await
}

/// A response as its vendor gives it.
fn response(text: &str) -> Value {
    let part = json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    json!({
        "id": "resp_0a1b", "object": "response", "created_at": 1, "status": "completed",
        "error": null, "incomplete_details": null, "model": "m", "x_new": 1.0e2,
        "output": [{"id": "msg_0a1b", "type": "message", "role": "assistant", "status": "completed",
            "content": [part]}],
        "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18},
    })
}

async fn vendor() -> Upstream {
    let reply = |asked: &Asked| match asked.target.as_str() {
        PATH => Reply::json(&response("Yes.")),
        _ => Reply::json(&json!({"id": "resp_0a1b", "deleted": true})),
    };
    Upstream::start(reply).await
}

fn backend(upstream: &Upstream, api: &str) -> String {
    format!(
        "[[backend]]\nkind = \"upstream\"\napi = \"{api}\"\nurl = \"{}/v1\"\n",
        upstream.url()
    )
}

#[tokio::test]
async fn either_older_api_answers_documents_and_streams() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let upstream = older(api, Answer::text("All is well.")).await;
        let deja = Setup::new(&upstream.backend(api)).start().await;
        let (status, answer) = ask(&deja, &question("How is it?")).await;
        assert!(status.contains("fwd=miss; stored"), "{status}");
        assert_eq!(
            (answer["object"].as_str(), text(&answer).as_str()),
            (Some("response"), "All is well.")
        );
        assert_eq!(answer["status"], "completed");
        assert_eq!(answer["usage"]["input_tokens"], PROMPT_TOKENS);
        assert_eq!(answer["usage"]["output_tokens"], ANSWER_TOKENS);
        let (status, again) = ask(&deja, &question("How is it?")).await;
        assert!(status.contains("hit"), "{status}");
        assert_eq!(text(&again), "All is well.");
        assert_ne!(
            again["id"], answer["id"],
            "each response has an id of its own"
        );

        let events = events(&deja, &question("How is it?")).await;
        let numbers: Vec<_> = events
            .iter()
            .map(|event| &event["sequence_number"])
            .collect();
        assert_eq!(numbers, (0..events.len()).collect::<Vec<_>>());
        let last = events.last().expect("there is an end");
        assert_eq!(last["type"], "response.completed");
        assert_eq!(text(&last["response"]), "All is well.");
        let deltas = events
            .iter()
            .filter(|event| event["type"] == "response.output_text.delta");
        let deltas: String = deltas.filter_map(|event| event["delta"].as_str()).collect();
        assert_eq!(deltas, "All is well.");
    }
}

#[tokio::test]
async fn whether_an_upstream_has_the_endpoint_is_found_out_once() {
    let upstream = older(Api::OpenAi, Answer::text("Yes.")).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    for content in ["One?", "Two?"] {
        ask(&deja, &question(content)).await;
    }
    let targets: Vec<_> = upstream
        .asked()
        .into_iter()
        .map(|asked| asked.target)
        .collect();
    assert_eq!(targets, [PATH, Api::OpenAi.path(), Api::OpenAi.path()]);

    let settings = upstream.backend(Api::OpenAi) + "responses = false\n";
    let deja = Setup::new(&settings).start().await;
    ask(&deja, &question("Three?")).await;
    assert_eq!(upstream.last().target, Api::OpenAi.path());
}

#[tokio::test]
async fn an_upstream_that_has_the_endpoint_gets_the_request_as_it_came() {
    for api in ["openai", "responses"] {
        let upstream = vendor().await;
        let deja = Setup::new(&backend(&upstream, api)).start().await;
        let mut body = question("Is it?");
        body["x_new"] = json!([1, {"a": null}]);
        body["tools"] = json!([{"type": "web_search"}]);
        let (status, answer) = ask(&deja, &body).await;
        assert!(status.contains("fwd=miss; stored"), "{status}");
        assert_eq!(answer, response("Yes."));
        assert_eq!(upstream.last().json(), body);
        let (status, again) = ask(&deja, &body).await;
        assert!(status.contains("hit"), "{status}");
        assert_eq!(again, answer, "a vendor's ids are its own");
        let events = events(&deja, &body).await;
        let last = events.last().expect("there is an end");
        assert_eq!(text(&last["response"]), "Yes.");
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test]
async fn older_clients_are_answered_by_an_upstream_of_responses_alone() {
    for client in [Api::OpenAi, Api::Anthropic] {
        let upstream = vendor().await;
        let deja = Setup::new(&backend(&upstream, "responses")).start().await;
        let answer = whole(deja.send(client, &client.question("Is it?")).await).await;
        assert_eq!(client.text(&answer), "Yes.");
        assert_eq!(upstream.last().target, PATH);
        let input = upstream.last().json()["input"].to_string();
        assert!(input.contains("Is it?"), "{input}");
        let (status, _) = deja.answer(client, "Is it?").await;
        assert!(status.contains("hit"), "{status}");
    }
}

#[tokio::test]
async fn a_response_is_continued_by_its_id() {
    let upstream = older(Api::OpenAi, Answer::text("Paris.")).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let (_, first) = ask(&deja, &question("The capital of France?")).await;
    let (_, same) = ask(&deja, &question("The capital of France?")).await;
    let next = |id: &Value| {
        let mut next = question("And of Spain?");
        next["previous_response_id"] = id.clone();
        next
    };
    let (status, second) = ask(&deja, &next(&first["id"])).await;
    assert!(status.contains("fwd=miss"), "{status}");
    let messages = upstream.last().json()["messages"].to_string();
    for said in ["The capital of France?", "Paris.", "And of Spain?"] {
        assert!(messages.contains(said), "{messages}");
    }
    let (status, _) = ask(&deja, &next(&same["id"])).await;
    assert!(status.contains("hit"), "the same was said before: {status}");
    let streamed = events(&deja, &next(&second["id"])).await;
    let third = &streamed.last().expect("there is an end")["response"]["id"];
    ask(&deja, &next(third)).await;
    assert_eq!(
        upstream.last().json()["messages"].as_array().map(Vec::len),
        Some(7)
    );
}

#[tokio::test]
async fn a_response_can_be_read_and_deleted_by_its_own_caller() {
    let upstream = older(Api::OpenAi, Answer::text("Paris.")).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let answer = whole(ask_as(&deja, "a", &question("Where?")).await).await;
    let id = answer["id"].as_str().expect("it has an id");
    let look = async |key: &str, method: Method, below: &str| {
        let path = format!("{PATH}/{id}{below}");
        let request = deja.request(method, &path).bearer_auth(key);
        request.send().await.expect("the server answers")
    };
    assert_eq!(whole(look("a", Method::GET, "").await).await, answer);
    let items = whole(look("a", Method::GET, "/input_items").await).await;
    assert_eq!(items["data"][0]["content"], "Where?");
    for (key, method) in [("b", Method::GET), ("b", Method::DELETE)] {
        let reply = look(key, method, "").await;
        assert_eq!(reply.status(), 404);
        assert_eq!(error(reply).await["code"], "response_not_found");
    }
    let deleted = whole(look("a", Method::DELETE, "").await).await;
    assert_eq!(deleted["deleted"], true);
    assert_eq!(look("a", Method::GET, "").await.status(), 404);
    let mut next = question("And?");
    next["previous_response_id"] = id.into();
    let reply = ask_as(&deja, "a", &next).await;
    assert_eq!(reply.status(), 404);
    assert_eq!(error(reply).await["param"], "previous_response_id");
}

#[tokio::test]
async fn a_response_that_is_not_to_be_stored_cannot_be_continued() {
    let upstream = older(Api::OpenAi, Answer::text("Paris.")).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let mut body = question("Where?");
    body["store"] = false.into();
    for _ in 0..2 {
        let (_, answer) = ask(&deja, &body).await;
        let mut next = question("And?");
        next["previous_response_id"] = answer["id"].clone();
        assert_eq!(deja.post(PATH, &next).await.status(), 404);
    }
}

#[tokio::test]
async fn what_a_vendor_keeps_is_left_to_it() {
    let upstream = vendor().await;
    let deja = Setup::new(&backend(&upstream, "responses")).start().await;
    let mut body = question("And?");
    body["previous_response_id"] = "resp_0a1b".into();
    ask(&deja, &body).await;
    assert_eq!(upstream.last().json(), body);
    let reply = deja
        .request(Method::DELETE, &format!("{PATH}/resp_0a1b"))
        .send()
        .await;
    assert_eq!(
        whole(reply.expect("the server answers")).await["deleted"],
        true
    );
    let mut body = question("And?");
    body["conversation"] = "conv_1".into();
    for _ in 0..2 {
        let (status, _) = ask(&deja, &body).await;
        assert!(status.contains("fwd=bypass"), "{status}");
    }
}

#[tokio::test]
async fn what_no_other_api_has_is_refused_by_name_or_left_out() {
    let upstream = older(Api::OpenAi, Answer::text("Yes.")).await;
    let settings = upstream.backend(Api::OpenAi) + "responses = false\n";
    let deja = Setup::new(&settings).start().await;
    for (field, value) in [
        ("background", json!(true)),
        ("conversation", json!("conv_1")),
        ("input", json!([{"type": "item_reference", "id": "msg_1"}])),
        ("input", json!(7)),
        (
            "input",
            json!([{"type": "function_call_output", "call_id": "c", "output": "x"}]),
        ),
        ("tools", json!({})),
    ] {
        let mut body = question("Is it?");
        body[field] = value;
        let reply = deja.post(PATH, &body).await;
        assert_eq!(reply.status(), 400, "{body}");
        let error = error(reply).await;
        let param = error["param"].as_str().unwrap_or_default();
        assert!(param.starts_with(field), "{error}");
    }
    assert_eq!(upstream.count(), 0);
    let mut body = question("Is it?");
    body["tools"] = json!([{"type": "web_search"}]);
    let (status, _) = ask(&deja, &body).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    assert!(upstream.last().json()["tools"].is_null());
}

#[tokio::test]
async fn tools_of_a_namespace_are_called_by_their_own_names() {
    let answer = Answer::text("").calling("call_1", "files__read", json!({"path": "a"}));
    let upstream = older(Api::OpenAi, answer).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let tool = json!({"type": "function", "name": "read", "parameters": {"type": "object"}});
    let mut body = question("Read a.");
    body["tools"] = json!([{"type": "namespace", "name": "files", "tools": [tool]}]);
    for _ in 0..2 {
        let (_, answer) = ask(&deja, &body).await;
        let items = answer["output"].as_array().expect("there are items");
        let call = items.iter().find(|item| item["type"] == "function_call");
        let call = call.expect("it calls");
        assert_eq!(
            (&call["namespace"], &call["name"]),
            (&json!("files"), &json!("read"))
        );
    }
    let offered = upstream.last().json()["tools"][0]["function"]["name"].clone();
    assert_eq!(offered, "files__read");
}

#[tokio::test]
async fn the_engine_answers_and_a_web_socket_is_refused() {
    let deja = Deja::start().await;
    let mut body = question("What is the capital of France?");
    body["model"] = "default".into();
    body["temperature"] = 0.into();
    body["max_output_tokens"] = 8.into();
    let (status, answer) = ask(&deja, &body).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    assert!(!text(&answer).is_empty(), "{answer}");
    let streamed = events(&deja, &body).await;
    let last = &streamed.last().expect("there is an end")["response"];
    assert_eq!(text(last), text(&answer));

    let request = deja
        .request(Method::GET, PATH)
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let reply = request.send().await.expect("the server answers");
    assert_eq!(reply.status(), 426);
}
