//! Models that are loaded on demand, within one budget.

use std::{fs::create_dir, os::unix::fs::symlink, path::Path};

use deja_tests::{
    Api, Deja, QUESTION, Setup, cache_status, eventually, long_question, question, required, whole,
};
use reqwest::Response;
use serde_json::{Value, json};

/// More than the small model takes once, and less than it takes twice.
const BUDGET: &str = "[models]\nmax_bytes = \"800MB\"\n";

/// A server with the small model under two names. An upstream before them answers for all others.
async fn two_models(more: &str) -> Deja {
    let model = Path::new(&required("DEJA_HOME")).join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let upstream = Api::OpenAi.backend("http://127.0.0.1:9");
    let engine = |name: &str| {
        format!(
            "[[backend]]\nkind = \"mlx\"\nname = \"{name}\"\nmodel = \"{name}.gguf\"\n\
             load = \"demand\"\n{more}"
        )
    };
    let settings = [upstream, engine("one"), engine("two"), BUDGET.to_owned()];
    let setup = Setup::new(&settings.concat());
    for name in ["one.gguf", "two.gguf"] {
        symlink(&model, setup.config().with_file_name(name)).expect("links");
    }
    setup.start().await
}

fn asking(mut request: Value, model: &str) -> Value {
    request["model"] = model.into();
    request
}

/// Of each model, whether it is loaded, as `/v1/models` tells it.
async fn loaded(deja: &Deja) -> Value {
    let list = whole(deja.get("/v1/models").await).await;
    let models = list["data"].as_array().expect("they are listed");
    let told = models.iter().map(|model| {
        assert_eq!(model["context_length"], 8192, "{model}");
        (
            model["id"].as_str().expect("it has a name").to_owned(),
            model["loaded"].clone(),
        )
    });
    told.collect()
}

/// What the workers of both models do, as `/health` tells it.
async fn workers(deja: &Deja) -> [String; 2] {
    let health = deja.health().await;
    assert_eq!(health["status"], "ok", "{health}");
    [1, 2].map(|at| {
        let status = &health["backends"][at]["worker"]["status"];
        status.as_str().expect("it has a state").to_owned()
    })
}

async fn has_answered(reply: Response, outcome: &str) {
    let status = cache_status(&reply);
    let answer = whole(reply).await;
    assert!(status.contains(outcome), "{status}");
    assert_eq!(deja_tests::text(&answer), "The capital of France is Paris.");
}

#[tokio::test]
async fn a_model_is_loaded_for_a_miss_and_makes_room_for_another() {
    let deja = two_models("").await;
    assert_eq!(loaded(&deja).await, json!({"one": false, "two": false}));
    assert_eq!(workers(&deja).await, ["unloaded", "unloaded"]);

    let [one, two] = ["one", "two"].map(|model| asking(question(QUESTION), model));
    has_answered(deja.chat(&one).await, "fwd=miss; stored").await;
    assert_eq!(loaded(&deja).await, json!({"one": true, "two": false}));
    has_answered(deja.chat(&two).await, "fwd=miss; stored").await;
    assert_eq!(loaded(&deja).await, json!({"one": false, "two": true}));
    assert_eq!(workers(&deja).await, ["unloaded", "running"]);
    let metrics = deja.get("/metrics").await.text().await;
    let metrics = metrics.expect("the metrics come");
    for line in [
        "deja_model_loaded{backend=\"one\"} 0",
        "deja_model_loaded{backend=\"two\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }

    has_answered(deja.chat(&one).await, "hit").await;
    assert_eq!(workers(&deja).await, ["unloaded", "running"]);
    let model = whole(deja.get("/v1/models/two").await).await;
    assert_eq!(model["loaded"], true);
}

#[tokio::test]
async fn a_model_of_the_same_name_from_elsewhere_answers_anew() {
    let file = Path::new(&required("DEJA_HOME")).join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let engine = |folder: &str, name: &str| {
        format!(
            "[[backend]]\nkind = \"mlx\"\nname = \"{name}\"\nload = \"demand\"\n\
             model = \"{folder}/m.gguf\"\n"
        )
    };
    let setup = Setup::new(&engine("old", "before"));
    for folder in ["old", "new"] {
        let folder = setup.config().with_file_name(folder);
        create_dir(&folder).expect("there is room");
        symlink(&file, folder.join("m.gguf")).expect("links");
    }
    let deja = setup.start().await;
    let request = asking(question(QUESTION), "m");
    has_answered(deja.chat(&request).await, "fwd=miss; stored").await;
    has_answered(deja.chat(&request).await, "hit").await;
    deja.setup().configure(&engine("new", "after"));
    deja.wait_for("the change", |health| {
        health["backends"][0]["name"] == "after"
    })
    .await;
    has_answered(deja.chat(&request).await, "fwd=miss; stored").await;
}

#[tokio::test]
async fn a_model_that_finds_no_room_is_told_in_the_clients_shape() {
    let deja = two_models("patience = \"100ms\"\n").await;
    let mut running = deja.chat(&asking(long_question(), "one")).await;
    running.chunk().await.expect("it begins");
    for api in [Api::OpenAi, Api::Anthropic] {
        let reply = deja.send(api, &asking(api.question(QUESTION), "two")).await;
        assert_eq!(reply.status(), 503);
        assert!(reply.headers().contains_key("retry-after"));
        let error: Value = reply.json().await.expect("an error is JSON");
        match api {
            Api::OpenAi => assert_eq!(error["error"]["code"], "models_in_use"),
            Api::Anthropic => assert_eq!(error["error"]["type"], "overloaded_error"),
        }
    }
    assert_eq!(workers(&deja).await, ["running", "unloaded"]);
}

#[tokio::test]
async fn an_idle_model_is_unloaded() {
    let deja = two_models("idle_timeout = \"1ms\"\n").await;
    has_answered(deja.chat(&asking(question(QUESTION), "one")).await, "miss").await;
    eventually("the unloaded model", async || {
        workers(&deja).await == ["unloaded", "unloaded"]
    })
    .await;
}
