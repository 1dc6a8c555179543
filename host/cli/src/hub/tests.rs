//! Against a server that stands in for the hub.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;
use tempfile::TempDir;

use super::*;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "0123456789 are the weights of this model";

/// A hub with one model, `owner/tiny`.
struct Hub {
    address: String,
    /// Paths, and the ranges that were asked of them.
    asked: Arc<Mutex<Vec<(String, String)>>>,
    /// Holds the cache.
    folder: TempDir,
}

impl Hub {
    fn start(token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = Arc::clone(&log);
                thread::spawn(move || answer(&stream, token, &log));
            }
        });
        Self {
            address: format!("http://{address}"),
            asked,
            folder: tempfile::tempdir().expect("makes a folder"),
        }
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().to_owned())
    }

    fn fetch(&self, name: &str, token: Option<&str>) -> Result<PathBuf, HubError> {
        let builder = ApiBuilder::from_cache(self.cache()).with_token(token.map(str::to_owned));
        fetch_with(
            builder.with_endpoint(self.address.clone()),
            &self.cache(),
            name,
        )
    }

    /// The ranges that were asked of a file's content since the last call.
    fn ranges(&self, file: &str) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().expect("nobody panicked"));
        let ours = asked.into_iter().filter(|(path, _)| path.ends_with(file));
        // This range is how the library asks for a file's size.
        ours.map(|(_, range)| range)
            .filter(|range| range != "bytes=0-0")
            .collect()
    }
}

fn files() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        ("config.json", "{}"),
        ("tokenizer.json", "{}"),
        ("model.safetensors", WEIGHTS),
        ("README.md", "nobody wants it"),
        ("original/model.safetensors", "nor this"),
    ])
}

/// Answers one request and closes the connection.
fn answer(mut stream: &TcpStream, token: Option<&str>, log: &Mutex<Vec<(String, String)>>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let lower = |line: &String| line.to_lowercase().starts_with(name);
        head.iter()
            .find(|line| lower(line))
            .and_then(|line| line.split_once(": "))
            .map(|(_, value)| value.to_owned())
    };
    let path = head
        .first()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or("");
    let range = header("range:").unwrap_or_default();
    log.lock()
        .expect("nobody panicked")
        .push((path.to_owned(), range.clone()));
    let wanted = token.map(|token| format!("Bearer {token}"));
    let response = if wanted.is_some() && header("authorization:") != wanted {
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
    } else {
        content(path, &range)
    };
    // A client that has gone will miss nothing.
    let _ = stream.write_all(response.as_bytes());
}

fn content(path: &str, range: &str) -> String {
    if path == "/api/models/owner/tiny/revision/main" {
        let siblings = files().into_keys().map(|file| json!({"rfilename": file}));
        let body = json!({"sha": REVISION, "siblings": siblings.collect::<Vec<_>>()}).to_string();
        let length = body.len();
        return format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
    }
    let file = path.strip_prefix(&format!("/owner/tiny/resolve/{REVISION}/"));
    let Some((file, text)) =
        file.and_then(|file| files().get_key_value(file).map(|(k, v)| (*k, *v)))
    else {
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_owned();
    };
    let bounds = range.trim_start_matches("bytes=").split_once('-');
    let number = |text: &str| text.parse::<usize>().ok();
    let start = bounds.and_then(|(start, _)| number(start)).unwrap_or(0);
    let end = bounds
        .and_then(|(_, end)| number(end))
        .map_or(text.len(), |end| end + 1);
    let (part, total) = (&text[start..end], text.len());
    format!(
        "HTTP/1.1 206 Partial Content\r\nETag: \"{}\"\r\nX-Repo-Commit: {REVISION}\r\nContent-Range: bytes {start}-{}/{total}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{part}",
        file.replace(['/', '.'], "-"),
        end - 1,
        part.len(),
    )
}

#[test]
fn a_model_is_fetched_once_and_without_what_nobody_wants() {
    let hub = Hub::start(None);
    let folder = hub.fetch("owner/tiny", None).expect("is fetched");
    let weights = fs::read_to_string(folder.join("model.safetensors")).expect("reads");
    assert_eq!(weights, WEIGHTS);
    assert!(folder.join("config.json").exists() && !folder.join("README.md").exists());
    assert_eq!(hub.ranges("model.safetensors"), ["bytes=0-"]);
    assert_eq!(hub.fetch("owner/tiny", None).expect("is held"), folder);
    assert_eq!(hub.ranges("model.safetensors"), [""; 0]);
}

#[test]
fn a_download_goes_on_where_it_ended() {
    let hub = Hub::start(None);
    let cache = hub.cache().model("owner/tiny".to_owned());
    let part = cache.blob_path("model-safetensors").with_extension("part");
    fs::create_dir_all(part.parent().expect("has a folder")).expect("makes it");
    fs::write(&part, &WEIGHTS[..11]).expect("writes");
    let folder = hub.fetch("owner/tiny", None).expect("is fetched");
    assert_eq!(hub.ranges("model.safetensors"), ["bytes=11-"]);
    let weights = fs::read_to_string(folder.join("model.safetensors")).expect("reads");
    assert_eq!(weights, WEIGHTS);
}

#[test]
fn a_private_model_needs_its_token() {
    let hub = Hub::start(Some("secret"));
    let refused = |token| hub.fetch("owner/tiny", token).expect_err("is private");
    for error in [refused(None), refused(Some("guess"))] {
        assert!(matches!(error, HubError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    }
    hub.fetch("owner/tiny", Some("secret")).expect("is fetched");
}

#[test]
fn a_name_that_nobody_has_is_told() {
    let error = Hub::start(None)
        .fetch("owner/other", None)
        .expect_err("is none");
    assert!(matches!(&error, HubError::NotFound { name } if name == "owner/other"));
}

#[test]
fn without_the_hub_a_held_model_does() {
    let mut hub = Hub::start(None);
    let folder = hub.fetch("owner/tiny", None).expect("is fetched");
    // Port 1 of this machine: nobody listens there.
    hub.address = "http://127.0.0.1:1".to_owned();
    assert_eq!(hub.fetch("owner/tiny", None).expect("is held"), folder);
    let error = hub.fetch("owner/other", None).expect_err("is not held");
    assert!(matches!(error, HubError::Failed { .. }), "{error}");
}

#[test]
fn names_are_told_from_paths() {
    for name in ["owner/name", "mlx-community/Qwen3-0.6B-4bit", "a/b_c.d"] {
        assert!(is_name(name), "{name}");
    }
    for path in [
        "default",
        "/a/b",
        "./a/b",
        "a/b/c",
        "../a",
        "models/x.gguf",
        "~/m",
    ] {
        assert!(!is_name(path), "{path}");
    }
}
