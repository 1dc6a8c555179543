//! What a call into a policy costs, and what it takes to load one.

#![allow(missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use deja_cache::{
    Capacity, Endpoint, EntryFacts, EntryId, Eviction, Headers, KeyRequest, Outcome, OutcomeKind,
    RemovalCause,
};
use deja_policy::{Limits, PluginChoice, PluginHost, PluginSettings, Policies};
use divan::{Bencher, counter::ItemsCount};
use serde_json::{Map, Value, json};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

const KEYERS: [&str; 6] = [
    "claude-code",
    "exact",
    "ignore-case-and-space",
    "ignore-fields",
    "normalise-text",
    "sampling",
];
const EVICTIONS: [&str; 6] = ["fifo", "gdsf", "lru", "s3-fifo", "sieve", "w-tinylfu"];
/// What the cache may hold.
const ENTRIES: u64 = 1000;
const QUESTION: &str = "What is the capital of France? ";

fn main() {
    divan::main();
}

#[divan::bench(args = KEYERS)]
fn key_a_request_of_125_bytes(bencher: Bencher<'_, '_>, keyer: &str) {
    key(bencher, keyer, 1);
}

#[divan::bench(args = KEYERS)]
fn key_a_request_of_50_kilobytes(bencher: Bencher<'_, '_>, keyer: &str) {
    key(bencher, keyer, 50_000 / QUESTION.len());
}

fn key(bencher: Bencher<'_, '_>, keyer: &str, questions: usize) {
    let content = QUESTION.repeat(questions);
    let body = json!({
        "model": "m",
        "messages": [{"role": "user", "content": content.trim_end()}],
        "temperature": 0,
        "max_tokens": 100,
    });
    decide(bencher, keyer, body);
}

#[divan::bench(args = KEYERS)]
fn key_a_request_of_claude_code(bencher: Bencher<'_, '_>, keyer: &str) {
    decide(bencher, keyer, claude_code());
}

fn decide(bencher: Bencher<'_, '_>, keyer: &str, body: Value) {
    let keyer = policies(keyer, "lru").keyers.remove(0);
    let (headers, body) = (Arc::new(NoHeaders), Arc::new(body));
    let request = KeyRequest {
        endpoint: Endpoint::ChatCompletions,
        headers,
        body,
        text: None,
    };
    bencher.bench_local(|| keyer.decide(&request).expect("decides"));
}

/// A first request of a session, of 50 kilobytes: half of them system prompt, half tools.
fn claude_code() -> Value {
    let text = |text: &str| json!({"type": "text", "text": text});
    let marked =
        |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
    let prompt = "# Tone\nBe \"brief\" and right; say what you did, and where.\n".repeat(400);
    json!({
        "model": "m",
        "max_tokens": 128_000,
        "metadata": {"user_id": r#"{"device_id":"d","session_id":"s"}"#},
        "system": [
            text("x-anthropic-billing-header: cc_version=2.1.330.aad; cc_entrypoint=sdk-cli; cch=36ee5;"),
            marked("You are an agent."),
            marked(&prompt),
        ],
        "tools": (0..12).rev().map(tool).collect::<Vec<_>>(),
        "messages": [
            {"role": "user", "content": [
                text("<system-reminder>\n# gitStatus\nCurrent branch: main\n</system-reminder>"),
                text("<system-reminder>\nSessionStart:resume hook success: ok\n</system-reminder>"),
                text("What is the capital of France?"),
            ]},
            {"role": "system", "content": "# Environment\n - Platform: linux\n".repeat(20)},
        ],
    })
}

fn tool(number: u32) -> Value {
    let parameter =
        json!({"type": "string", "description": "The absolute path of the file to read"});
    let parameters: Map<_, _> = (0..6)
        .map(|number| (format!("parameter_{number}"), parameter.clone()))
        .collect();
    json!({
        "name": format!("tool_{number:02}"),
        "description": "Reads a file.\n\n- Give its absolute path.\n".repeat(25),
        "input_schema": {"type": "object", "properties": parameters, "required": ["parameter_0"]},
    })
}

#[divan::bench(args = EVICTIONS, consts = [1, 64])]
fn hit<const BATCH: usize>(bencher: Bencher<'_, '_>, name: &str) {
    let mut policy = full(name);
    let ids: Vec<_> = (0..BATCH as u64)
        .map(|id| EntryId(id * 7 % ENTRIES))
        .collect();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| policy.on_hit(&ids).expect("takes the hits"));
}

#[divan::bench(args = EVICTIONS)]
fn insert_and_evict(bencher: Bencher<'_, '_>, name: &str) {
    let mut policy = full(name);
    let mut ids = ENTRIES..;
    bencher.bench_local(|| {
        policy
            .on_insert(&entry(ids.next().expect("never ends")))
            .expect("inserts");
        for victim in policy.victims(0, 1).expect("chooses") {
            policy
                .on_remove(victim, RemovalCause::Evicted)
                .expect("removes");
        }
    });
}

/// An eviction policy that knows as many entries as the cache may hold.
fn full(name: &str) -> Box<dyn Eviction> {
    let mut policy = policies("exact", name).eviction;
    for id in 0..ENTRIES {
        policy.on_insert(&entry(id)).expect("inserts");
    }
    policy
}

#[divan::bench(args = [1, 64])]
fn fold(bencher: Bencher<'_, '_>, batch: usize) {
    let mut stats = policies("exact", "lru").stats;
    let outcome = Outcome {
        at_ms: 1,
        kind: OutcomeKind::Hit,
        first_us: 1,
        latency_us: 1,
        saved_ms: 1,
        prompt_tokens: 1,
        output_tokens: 1,
        bytes: 1,
    };
    let outcomes = vec![outcome; batch];
    bencher
        .counter(ItemsCount::new(batch))
        .bench_local(|| stats.fold(&outcomes).expect("folds"));
}

#[divan::bench(args = ["claude-code", "exact", "ignore-case-and-space", "lru", "standard"], sample_count = 10)]
fn compile(bencher: Bencher<'_, '_>, name: &str) {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).expect("starts");
    let component = fs::read(dist().join(name).with_extension("wasm")).expect("is built");
    bencher.bench_local(|| Component::from_binary(&engine, &component).expect("compiles"));
}

#[divan::bench(sample_count = 10)]
fn load_the_standard_plugins(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| policies("exact", "lru"));
}

fn policies(keyer: &str, eviction: &str) -> Policies {
    let settings = PluginSettings {
        cache_dir: None,
        dir: Some(dist()),
        keyers: vec![PluginChoice::new(keyer)],
        eviction: PluginChoice::new(eviction),
        stats: PluginChoice::new("standard"),
        capacity: Capacity {
            entries: ENTRIES,
            bytes: 1 << 30,
        },
        limits: Limits::default(),
    };
    PluginHost::new(settings)
        .and_then(|host| host.load())
        .expect("loads")
}

fn dist() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist")
}

fn entry(id: u64) -> EntryFacts {
    EntryFacts {
        id: EntryId(id),
        key: id,
        bytes: 1000,
        cost_ms: 1,
        prompt_tokens: 1,
        output_tokens: 1,
        at_ms: id,
    }
}

struct NoHeaders;

impl Headers for NoHeaders {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}
