//! Keyers: a decision, the whole way to a key, and a key from the memo.

use deja_cache::{Key, KeyerChain, Memo, NoHeaders, RawDigest, RawHasher, Recalled, Scope};
use deja_plugin::keyer::{Endpoint, Keyer as _};
use deja_plugin::testing::Request;
use divan::Bencher;
use divan::counter::BytesCount;
use native_claude_code::ClaudeCode;

use crate::policies;
use crate::requests::Sample;

const SAMPLES: [Sample; 2] = [Sample::Question, Sample::ClaudeCode];

const KEYERS: [&str; 7] = [
    "claude-code",
    "codex",
    "exact",
    "ignore-case-and-space",
    "ignore-fields",
    "normalise-text",
    "sampling",
];

#[divan::bench(args = SAMPLES)]
fn claude_code(bencher: Bencher<'_, '_>, sample: Sample) {
    decide(bencher, "claude-code", sample);
}

#[divan::bench(args = SAMPLES)]
fn claude_code_natively(bencher: Bencher<'_, '_>, sample: Sample) {
    // This keyer does not ask for the endpoint.
    let request = Request::new(Endpoint::Messages, sample.body());
    bencher.bench_local(|| ClaudeCode::decide(&request).expect("decides"));
}

#[divan::bench(args = SAMPLES)]
fn claude_code_and_the_key(bencher: Bencher<'_, '_>, sample: Sample) {
    let chain = KeyerChain::new(policies("claude-code", "lru").keyers);
    let request = sample.request();
    bencher.bench_local(|| chain.consult(request.clone(), Scope::of([])));
}

#[divan::bench(args = SAMPLES)]
fn the_key_from_the_memo(bencher: Bencher<'_, '_>, sample: Sample) {
    let body = sample.body().to_string();
    let memo = Memo::new(10_000);
    let recalled = Recalled {
        key: "0".repeat(64).parse::<Key>().expect("it is a key"),
        delivery: deja_wire::Delivery::Whole,
    };
    memo.remember(digest(&body), recalled, Vec::new());
    bencher.counter(BytesCount::of_str(&body)).bench_local(|| {
        memo.recall(&digest(&body), &NoHeaders)
            .expect("it is known")
    });
}

fn digest(body: &str) -> RawDigest {
    let mut hasher = RawHasher::new([]);
    hasher.update(body.as_bytes());
    hasher.finish()
}

#[divan::bench(args = KEYERS)]
fn every_keyer_on_the_question(bencher: Bencher<'_, '_>, keyer: &str) {
    decide(bencher, keyer, Sample::Question);
}

#[divan::bench(args = KEYERS)]
fn every_keyer_on_claude_code(bencher: Bencher<'_, '_>, keyer: &str) {
    decide(bencher, keyer, Sample::ClaudeCode);
}

fn decide(bencher: Bencher<'_, '_>, keyer: &str, sample: Sample) {
    let keyer = policies(keyer, "lru").keyers.remove(0);
    let request = sample.request();
    bencher.bench_local(|| keyer.decide(&request).expect("decides"));
}
