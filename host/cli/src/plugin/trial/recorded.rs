//! Requests that were recorded: one JSON body a file, or one exchange a file, as proxies record it:
//! `{"request": {"url": …, "headers": …, "body": …}}`.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use deja_cache::{Endpoint, Headers, KeyRequest};
use serde_json::Value;

use crate::explain::likely_path;

/// The headers of a recording. Keyers are not shown credentials, as in a server.
struct RecordedHeaders(Vec<(String, String)>);

impl Headers for RecordedHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        let is_secret = deja_proxy::is_credential(&name.to_ascii_lowercase());
        let mut headers = self.0.iter().filter(|_| !is_secret);
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The requests of all `.json` files in a folder, by name.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<KeyRequest>> {
    let failed = || format!("{} cannot be read", folder.display());
    let mut files = Vec::new();
    for file in fs::read_dir(folder).with_context(failed)? {
        files.push(file.with_context(failed)?.path());
    }
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    ensure!(
        !files.is_empty(),
        "{} has no `.json` file",
        folder.display()
    );
    let request = |file: &std::path::PathBuf| {
        let text = fs::read(file)?;
        parse(serde_json::from_slice(&text)?)
    };
    files
        .iter()
        .map(|file| request(file).with_context(|| format!("{} is no request", file.display())))
        .collect()
}

fn parse(recording: Value) -> anyhow::Result<KeyRequest> {
    let exchange = recording
        .get("request")
        .filter(|request| request.get("body").is_some());
    let (path, headers, body) = match exchange {
        Some(request) => (
            request["url"].as_str().map(str::to_owned),
            headers(&request["headers"]),
            body(&request["body"])?,
        ),
        None => (None, Vec::new(), recording),
    };
    ensure!(body.is_object(), "the body is not a JSON object");
    let path = path.unwrap_or_else(|| likely_path(&body).to_owned());
    Ok(KeyRequest {
        endpoint: endpoint(&path).with_context(|| format!("nothing is asked at {path}"))?,
        headers: Arc::new(RecordedHeaders(headers)),
        body: Arc::new(body),
        text: None,
    })
}

/// A body stands there as JSON, or as a text with JSON in it.
fn body(recorded: &Value) -> anyhow::Result<Value> {
    Ok(match recorded.as_str() {
        Some(text) => serde_json::from_str(text)?,
        None => recorded.clone(),
    })
}

/// Headers stand there by name, each with its value or a list of values.
fn headers(recorded: &Value) -> Vec<(String, String)> {
    let fields = recorded.as_object().into_iter().flatten();
    let first = |(name, value): (&String, &Value)| {
        let value = value.get(0).unwrap_or(value).as_str()?;
        Some((name.clone(), value.to_owned()))
    };
    fields.filter_map(first).collect()
}

fn endpoint(url: &str) -> Option<Endpoint> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    Endpoint::ALL
        .into_iter()
        .find(|endpoint| path.ends_with(endpoint.path()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_stands_alone_or_in_an_exchange() {
        let asked = json!({"model": "m", "system": "Be brief.", "messages": []});
        let exchange = |body: Value| {
            json!({"request": {
                "url": "https://api.example/v1/messages?beta=true",
                "headers": {"Anthropic-Version": "1", "x-api-key": "secret", "a": ["b", "c"]},
                "body": body,
            }, "response": {}})
        };
        for recording in [
            asked.clone(),
            exchange(asked.clone()),
            exchange(asked.to_string().into()),
        ] {
            let request = parse(recording).expect("it is a request");
            assert_eq!(
                (&*request.body, request.endpoint),
                (&asked, Endpoint::Messages)
            );
        }
        let request = parse(exchange(asked)).expect("it is a request");
        let header = |name| request.headers.get(name);
        assert_eq!(header("anthropic-version"), Some("1"));
        assert_eq!(header("a"), Some("b"));
        assert_eq!(header("x-api-key"), None);
    }

    #[test]
    fn what_is_no_request_is_found_fault_with() {
        for recording in [
            json!([]),
            json!({"request": {"url": "/v1/nothing", "body": {}}}),
            json!({"request": {"url": "/v1/messages", "body": "{"}}),
        ] {
            assert!(parse(recording.clone()).is_err(), "{recording}");
        }
    }

    #[test]
    fn files_are_read_in_their_order() {
        let folder = tempfile::tempdir().expect("there is room");
        assert!(read(folder.path()).is_err(), "there is none");
        for number in [2, 1] {
            let body = json!({"messages": [], "seed": number}).to_string();
            let file = folder.path().join(format!("{number}.json"));
            fs::write(file, body).expect("it can be written");
        }
        let requests = read(folder.path()).expect("they are requests");
        assert_eq!(requests[0].body["seed"], 1);
        assert_eq!(requests.len(), 2);
    }
}
