//! What stands in the log, and what never does.

use deja_tests::{Answer, Api, Deja, Ending, Reply, Setup, Upstream, eventually, whole};
use reqwest::Method;
use serde_json::Value;

const API: Api = Api::OpenAi;
const SECRET: &str = "sk-never-in-a-log-4f1d";

async fn upstream() -> Upstream {
    let script = |asked: &deja_tests::Asked| match asked.json()["model"].as_str() {
        Some("refuses") => API.error(429, "not now"),
        Some("breaks") => Reply::json(&Value::Null)
            .promising_more(9)
            .ending(Ending::Reset),
        _ => API.reply(asked, &Answer::text("Yes.")),
    };
    Upstream::start(script).await
}

fn lines(deja: &Deja) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in: {line}"))
    };
    deja.log().lines().map(parse).collect()
}

/// The outcomes that the log tells, in order.
fn outcomes(deja: &Deja) -> Vec<String> {
    let outcome = |line: &Value| {
        let outcome = line.get("outcome").or(line["fields"].get("outcome"));
        outcome.map(|outcome| outcome.to_string().to_lowercase())
    };
    lines(deja).iter().filter_map(outcome).collect()
}

#[tokio::test]
async fn each_request_is_one_line_with_its_outcome() {
    let upstream = upstream().await;
    let settings = upstream.backend(API) + "[log]\nformat = \"json\"\n";
    let deja = Setup::new(&settings).env("DEJA_LOG", "info").start().await;
    deja.answer(API, "Is it so?").await;
    deja.answer(API, "Is it so?").await;
    let mut refused = API.question("Is it so?");
    refused["model"] = "refuses".into();
    deja.send(API, &refused).await;
    eventually("a line for each request", async || {
        outcomes(&deja).len() >= 3
    })
    .await;
    let outcomes = outcomes(&deja);
    assert_eq!(outcomes.len(), 3, "{}", deja.log());
    assert!(outcomes[0].contains("miss"), "{outcomes:?}");
    assert!(outcomes[1].contains("hit"), "{outcomes:?}");
}

#[tokio::test]
async fn every_line_is_json_at_every_level() {
    let upstream = upstream().await;
    let settings = upstream.backend(API) + "[log]\nformat = \"json\"\n";
    let deja = Setup::new(&settings).env("DEJA_LOG", "trace").start().await;
    deja.answer(API, "Is it\nso? \"\u{1b}[31m").await;
    assert!(!lines(&deja).is_empty());
    assert!(lines(&deja).iter().all(Value::is_object));
}

#[tokio::test]
async fn no_credentials_stand_in_logs_or_errors() {
    let upstream = upstream().await;
    let settings = [
        upstream.backend(API),
        "models = [\"house\"]\napi_key_env = \"UPSTREAM_KEY\"\n".to_owned(),
        upstream.backend(API),
    ];
    let setup = Setup::new(&settings.concat())
        .env("UPSTREAM_KEY", SECRET)
        .env("DEJA_ADMIN_TOKEN", SECRET)
        .env("DEJA_LOG", "debug");
    let deja = setup.start().await;
    let mut replies = String::new();
    for model in ["house", "refuses", "breaks", "scripted"] {
        for (name, value) in [
            ("authorization", format!("Bearer {SECRET}")),
            ("x-api-key", SECRET.to_owned()),
            ("cookie", format!("session={SECRET}")),
        ] {
            let mut request = API.question("Is it so?");
            request["model"] = model.into();
            let send = deja.request(Method::POST, API.path()).header(name, value);
            let reply = send
                .json(&request)
                .send()
                .await
                .expect("the server answers");
            for value in reply.headers().values() {
                replies += value.to_str().expect("a header is text");
            }
            replies += &reply.text().await.expect("the reply comes");
        }
    }
    for path in ["/health", "/metrics", "/admin/cache"] {
        replies += &deja.get(path).await.text().await.expect("the reply comes");
    }
    assert!(!replies.contains(SECRET), "{replies}");
    assert!(!deja.log().contains(SECRET), "{}", deja.log());
}

#[tokio::test]
async fn words_of_requests_and_answers_stay_out_of_the_log() {
    let upstream = upstream().await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    whole(deja.send(API, &API.question("My diary says xyzzy.")).await).await;
    assert!(!deja.log().contains("xyzzy"), "{}", deja.log());
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_no_request_and_its_loss_is_counted() {
    /// More lines than a pipe, the log's buffer and its queue take.
    const MOST: usize = 5_000;
    let upstream = upstream().await;
    let settings = upstream.backend(API) + "[log]\nmax_waiting_lines = 10\n";
    let deja = Setup::new(&settings).with_stuck_log().start().await;
    let mut answers = 0;
    while deja.health().await["log"]["dropped"] == 0 {
        assert!(answers < MOST, "no line was dropped");
        for _ in 0..100 {
            deja.answer(API, "Is it so?").await;
            answers += 1;
        }
    }
    assert!(deja.sample("deja_log_dropped_total").await >= 1.0);
}
