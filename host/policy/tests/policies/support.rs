//! A plugin folder, and hosts over it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deja_cache::{
    Capacity, Change, Decision, Endpoint, EntryFacts, EntryId, Key, KeyRequest, Keyed, Keyer,
    KeyerChain, NoHeaders, Scope,
};
use deja_policy::{Limits, PluginChoice, PluginHost, PluginSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A plugin folder, empty at first.
pub(crate) struct Folder {
    root: TempDir,
    pub(crate) limits: Limits,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("makes a folder");
        fs::create_dir(root.path().join("plugins")).expect("makes a folder");
        Self {
            root,
            limits: Limits::default(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("plugins")
    }

    pub(crate) fn put(&self, name: &str, component: &[u8]) -> PathBuf {
        let path = self.path().join(format!("{name}.wasm"));
        fs::write(&path, component).expect("writes");
        path
    }

    /// A host over this folder.
    pub(crate) fn host(&self, keyer: &str, eviction: &str, stats: &str) -> Arc<PluginHost> {
        self.host_with(PluginChoice::new(keyer), eviction, stats)
    }

    pub(crate) fn host_with(
        &self,
        keyer: PluginChoice,
        eviction: &str,
        stats: &str,
    ) -> Arc<PluginHost> {
        PluginHost::new(PluginSettings {
            dir: Some(self.path()),
            cache_dir: None,
            keyers: vec![keyer],
            eviction: PluginChoice::new(eviction),
            stats: PluginChoice::new(stats),
            capacity: Capacity {
                entries: 100,
                bytes: 1 << 20,
            },
            limits: self.limits,
        })
        .expect("the runtime starts")
    }

    /// A host over this folder with the standard plugins.
    pub(crate) fn standard(&self) -> Arc<PluginHost> {
        self.host("exact", "lru", "standard")
    }

    /// The keyer of this name in this folder.
    pub(crate) fn keyer(&self, name: &str) -> (Arc<PluginHost>, Arc<dyn Keyer>) {
        let host = self.host(name, "lru", "standard");
        let mut policies = host.load().expect("loads");
        (host, policies.keyers.remove(0))
    }
}

/// A component that was built from `plugins/`.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist");
    fs::read(dist.join(name).with_extension("wasm")).expect("run `cargo xtask plugins` first")
}

/// A request that asks this.
pub(crate) fn request(question: &str) -> KeyRequest {
    request_of(json!({"messages": [{"role": "user", "content": question}]}))
}

/// A request with this body.
pub(crate) fn request_of(body: Value) -> KeyRequest {
    request_to(Endpoint::ChatCompletions, body)
}

/// A request to this endpoint.
pub(crate) fn request_to(endpoint: Endpoint, body: Value) -> KeyRequest {
    KeyRequest {
        endpoint,
        headers: Arc::new(NoHeaders),
        body: Arc::new(body),
        text: None,
    }
}

/// The number of edits that a keyer asks for in a question with a capital letter.
pub(crate) fn edits(keyer: &dyn Keyer) -> usize {
    match keyer.decide(&request("What?")).expect("decides") {
        Decision::Cache(recipe) => recipe.edits.len(),
        other => panic!("{other:?}"),
    }
}

/// The question after a keyer's edits.
pub(crate) fn edited(keyer: &dyn Keyer, question: &str) -> String {
    let decision = keyer.decide(&request(question)).expect("decides");
    let Decision::Cache(recipe) = decision else {
        panic!("{decision:?}")
    };
    let mut text = question.to_owned();
    for edit in recipe.edits.into_iter().rev() {
        let Change::Rewrite {
            start,
            end,
            replacement,
            ..
        } = edit.change
        else {
            panic!("{edit:?}")
        };
        text.replace_range(start as usize..end as usize, &replacement);
    }
    text
}

/// A chain of one built-in keyer.
pub(crate) fn keyer_chain(name: &str, config: Value) -> KeyerChain {
    let choice = PluginChoice {
        config,
        ..PluginChoice::new(name)
    };
    let host = Folder::new().host_with(choice, "lru", "standard");
    KeyerChain::new(host.load().expect("loads").keyers)
}

/// The key of a body that is cached.
pub(crate) fn key(keyer: &KeyerChain, body: &Value) -> Key {
    let consultation = keyer.consult(request_of(body.clone()), Scope::of([]));
    match consultation.keyed {
        Keyed::Cache(ticket) => ticket.key,
        Keyed::Bypass(reason) => panic!("bypassed: {reason}"),
    }
}

pub(crate) fn entry(id: u64) -> EntryFacts {
    EntryFacts {
        id: EntryId(id),
        key: id,
        bytes: 10,
        cost_ms: 1,
        prompt_tokens: 1,
        output_tokens: 1,
        at_ms: id,
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
