//! From a component's bytes to a policy.

use std::fs;

use divan::Bencher;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::{dist, policies};

#[divan::bench(args = ["claude-code", "exact", "lru", "standard"], sample_count = 10)]
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
