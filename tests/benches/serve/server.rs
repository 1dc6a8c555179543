//! Deja as this benchmark runs it.

use deja_tests::{Deja, Setup};
use reqwest::{Response, header::CONTENT_TYPE};

use crate::upstream::Upstream;

/// Before this upstream, with room for all that is asked here.
pub(crate) fn setup(upstream: &Upstream) -> Setup {
    let settings = format!(
        r#"
[[backend]]
kind = "upstream"
api = "openai"
url = "{}/v1"

[cache]
max_bytes = "2GiB"
max_entries = 200000

[[keyer]]
plugin = "claude-code"
"#,
        upstream.url()
    );
    Setup::new(&settings).env("DEJA_LOG", "warn")
}

/// Starts one that logs no request, and one that writes a line for each to `/dev/null`.
pub(crate) async fn quiet_and_logging(upstream: &Upstream) -> [Deja; 2] {
    let logging = setup(upstream).env("DEJA_LOG", "info").without_log();
    [setup(upstream).start().await, logging.start().await]
}

/// Posts a body to any server, and returns what it replies.
pub(crate) async fn post(url: &str, path: &str, body: &[u8]) -> Response {
    let request = deja_tests::client().post(format!("{url}{path}"));
    let request = request.header(CONTENT_TYPE, "application/json");
    let reply = request.body(body.to_owned()).send().await;
    let reply = reply.and_then(Response::error_for_status);
    reply.expect("the server answers")
}
