//! Deja as this benchmark runs it.

use deja_tests::Setup;

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
