//! The server's configurations, good and broken.

use std::time::Duration;

use deja_tests::{Api, Upstream};
use rand::{RngExt as _, rngs::StdRng};

use crate::fault::SILENCE;

/// Configurations that are refused.
const BROKEN: [&str; 6] = [
    "[cache]\nttl = \"soon\"\n",
    "[cache\n",
    "[[keyer]]\nplugin = \"nobody\"\n",
    "[[backend]]\nkind = \"oracle\"\n",
    "[plugins]\ncall_timeout = 7\nno_such_setting = true\n",
    "\u{0}\u{1}",
];

/// The scripted upstreams.
pub(crate) struct Upstreams {
    pub(crate) openai: Upstream,
    pub(crate) anthropic: Upstream,
}

/// What may change while the server runs, and changes no answer.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    entries: usize,
    ttl: &'static str,
    keyers: &'static [&'static str],
    eviction: &'static str,
    keeps_requests: bool,
}

impl Default for Change {
    fn default() -> Self {
        Self {
            entries: 1500,
            ttl: "24h",
            keyers: &["exact"],
            eviction: "lru",
            keeps_requests: true,
        }
    }
}

impl Change {
    /// One that is taken.
    pub(crate) fn draw(draw: &mut StdRng) -> Self {
        // A change of the keyers makes all that is held useless, so most keep them.
        const KEYERS: [&[&str]; 8] = [
            &["exact"],
            &["exact"],
            &["exact"],
            &["exact"],
            &["exact"],
            &["ignore-case-and-space"],
            &["claude-code", "exact"],
            &["exact", "normalise-text"],
        ];
        const EVICTIONS: [&str; 6] = ["lru", "fifo", "gdsf", "s3-fifo", "sieve", "w-tinylfu"];
        Self {
            entries: draw.random_range(1000..1500),
            ttl: ["24h", "1h", "1min", "5s"][draw.random_range(0..4)],
            keyers: KEYERS[draw.random_range(0..KEYERS.len())],
            eviction: EVICTIONS[draw.random_range(0..EVICTIONS.len())],
            keeps_requests: draw.random_bool(0.7),
        }
    }
}

impl Upstreams {
    /// A configuration that is taken.
    pub(crate) fn settings(&self, change: Change) -> String {
        let Change {
            entries,
            ttl,
            eviction,
            keeps_requests,
            ..
        } = change;
        let keyers = change.keyers.iter();
        let keyers = keyers.map(|name| format!("[[keyer]]\nplugin = \"{name}\"\n"));
        let rest = format!(
            "[[backend]]\nkind = \"mlx\"\nname = \"engine\"\nmodels = [\"engine\"]\n\
             patience = \"2min\"\nkv_bytes = \"512MiB\"\nprefix_cache_bytes = \"64MiB\"\n\
             [cache]\nmax_bytes = \"32MiB\"\nmax_entries = {entries}\nttl = \"{ttl}\"\n\
             memo_entries = 1500\nkeep_requests = {keeps_requests}\n\
             [plugins]\ncall_timeout = \"250ms\"\n\
             [eviction]\nplugin = \"{eviction}\"\n"
        );
        let silence = SILENCE;
        let backends = [
            backend(&self.openai, Api::OpenAi, "oa-*", silence),
            backend(&self.anthropic, Api::Anthropic, "an-*", silence),
        ];
        let head = "[server]\nkeep_alive = \"2s\"\n".to_owned();
        [head, backends.concat(), rest, keyers.collect()].concat()
    }
}

/// A configuration that is refused.
pub(crate) fn broken(draw: &mut StdRng) -> &'static str {
    BROKEN[draw.random_range(0..BROKEN.len())]
}

fn backend(upstream: &Upstream, api: Api, models: &str, silence: Duration) -> String {
    let silence = silence.as_secs();
    upstream.backend(api) + &format!("models = [\"{models}\"]\nidle_timeout = \"{silence}s\"\n")
}
