//! `deja explain`: asks a running server what becomes of a request, and why.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use deja_cache::Endpoint;
use serde_json::Value;

/// A request to be explained.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The request's body, as JSON; `-` reads it from standard input.
    file: PathBuf,
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    url: String,
    /// What the request is sent to; without it, `/v1/messages` for a body with a `system` field or
    /// content blocks of Anthropic's, else `/v1/chat/completions`.
    #[arg(long)]
    path: Option<String>,
    /// A header of the request, like `x-api-key: KEY`; can be given several times. Other callers'
    /// answers are no hits.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Prints the explanation as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the explanation.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(crate) fn explain(arguments: &Arguments) -> anyhow::Result<()> {
    let body = read(&arguments.file)?;
    let path = match &arguments.path {
        Some(path) => path.clone(),
        None => likely_path(&serde_json::from_slice(&body).unwrap_or_default()).to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let explanation = runtime.block_on(ask(arguments, &path, body))?;
    if arguments.json {
        println!("{explanation:#}");
    } else {
        print!("{}", in_words(&explanation));
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(body);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Where a body like this one is sent.
fn likely_path(body: &Value) -> &'static str {
    Endpoint::likely(body).path()
}

async fn ask(arguments: &Arguments, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
    let url = format!("{}/admin/explain", arguments.url.trim_end_matches('/'));
    let mut url: deja_proxy::Url = url.parse().with_context(|| format!("{url} is no URL"))?;
    url.query_pairs_mut().append_pair("path", path);
    let client = deja_proxy::client_builder(&url).build()?;
    let mut request = client.post(url).body(body);
    for header in &arguments.headers {
        let (name, value) = header
            .split_once(':')
            .with_context(|| format!("`{header}` is no header: write NAME: VALUE"))?;
        request = request.header(name.trim(), value.trim());
    }
    let reply = request
        .send()
        .await
        .with_context(|| format!("no server answers at {}", arguments.url))?;
    let status = reply.status();
    let document: Value = reply.json().await.context("the answer is not Deja's")?;
    if !status.is_success() {
        let message = document["error"]["message"].as_str();
        bail!("{}", message.unwrap_or("the server refuses to explain"));
    }
    Ok(document)
}

/// The explanation for people.
fn in_words(explanation: &Value) -> String {
    let text = |pointer: &str| explanation.pointer(pointer).map(plain).unwrap_or_default();
    let mut lines = vec![match text("/outcome").as_str() {
        "hit" => format!(
            "hit: stored {} s ago, used {} times",
            text("/entry/age_seconds"),
            text("/entry/hits")
        ),
        "bypass" => format!("bypass: {}", text("/reason")),
        outcome => outcome.to_owned(),
    }];
    lines.push(match text("/model").as_str() {
        "" => format!("backend {}", text("/backend")),
        model => format!("backend {}, model {model}", text("/backend")),
    });
    if explanation.get("key").is_some() {
        lines.push(format!("key {}", text("/key")));
    }
    for edit in list(explanation, "/edits") {
        lines.push(format!(
            "  {} {}: {}",
            plain(&edit["keyer"]),
            plain(&edit["rule"]),
            edit["change"]
        ));
    }
    if explanation.get("nearest").is_some() {
        lines.push(format!(
            "nearest: {} ({} s ago), differs in {} places",
            text("/nearest/key"),
            text("/nearest/age_seconds"),
            text("/nearest/total")
        ));
        lines.extend(list(explanation, "/nearest/differences").map(difference));
        let apart = list(explanation, "/nearest/kept_apart_by");
        lines.extend(apart.map(|name| format!("  {}: another one", plain(name))));
        lines.extend(
            explanation
                .pointer("/nearest/note")
                .map(|note| format!("  {}", plain(note))),
        );
    }
    lines.join("\n") + "\n"
}

fn difference(difference: &Value) -> String {
    let side = |name: &str| match &difference[name] {
        Value::Null => "nothing".to_owned(),
        value => shortened(&value.to_string()),
    };
    let pointer = plain(&difference["pointer"]);
    format!(
        "  {pointer}: asked {}, stored {}",
        side("asked"),
        side("stored")
    )
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn list<'a>(document: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let items = document.pointer(pointer).and_then(Value::as_array);
    items.into_iter().flatten()
}

/// A text without its quotation marks; everything else as JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_miss_is_explained_by_what_comes_nearest() {
        let words = in_words(&json!({
            "outcome": "miss", "backend": "mlx", "model": "m", "key": "ab",
            "edits": [{"keyer": "k", "rule": "drop-user", "change": {"remove": "/user"}}],
            "nearest": {"key": "cd", "age_seconds": 3, "total": 2,
                "kept_apart_by": ["header x-api-key"], "differences": [
                {"pointer": "/temperature", "asked": 1, "stored": null},
                {"pointer": "/x", "asked": "y".repeat(99), "stored": 0},
            ]},
        }));
        assert_eq!(
            words,
            format!(
                "miss\nbackend mlx, model m\nkey ab\n  k drop-user: {{\"remove\":\"/user\"}}\n\
                 nearest: cd (3 s ago), differs in 2 places\n  /temperature: asked 1, stored nothing\n  \
                 /x: asked \"{}…, stored 0\n  header x-api-key: another one\n",
                "y".repeat(59)
            )
        );
    }

    #[test]
    fn a_body_tells_where_it_is_sent() {
        for (body, path) in [
            (json!({"system": "x", "messages": []}), "/v1/messages"),
            (json!({"messages": []}), "/v1/chat/completions"),
            (json!({"input": "x"}), "/v1/embeddings"),
            (json!({"prompt": "x"}), "/v1/completions"),
        ] {
            assert_eq!(likely_path(&body), path);
        }
    }
}
