//! Components that misbehave, as WebAssembly text.
//!
//! Memory is all zeros where a result is read, which the canonical ABI takes for empty strings and
//! lists, and for the first case of every variant: a keyer that does nothing answers `cache` with an
//! empty recipe.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../wit/deja-policy.wit");

/// What all of them have.
const COMMON: &str = r#"
    (memory (export "memory") 1)
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $place i32)
        (local.set $place (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $place) (local.get 3)))
        (local.get $place))
    (func (export "deja:policy/plugin@1.0.0#describe") (result i32) (i32.const 0))
"#;

const CONFIGURE: &str = r#"
    (func (export "deja:policy/plugin@1.0.0#configure") (param i32 i32) (result i32)
        (i32.const 0))
"#;

/// A keyer whose second call in one instance, the first after the self-test, runs these
/// instructions first.
#[must_use]
pub fn keyer_that_then(instructions: &str) -> Vec<u8> {
    keyer(&format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.eq (global.get $calls) (i32.const 2)) (then {instructions}))"
    ))
}

/// A keyer that runs these instructions before it answers.
#[must_use]
pub fn keyer(instructions: &str) -> Vec<u8> {
    component(
        CONTRACT,
        "keyer-plugin",
        &keyer_module(CONFIGURE, instructions),
    )
}

/// A keyer with a `configure` of its own.
#[must_use]
pub fn keyer_that_configures_by(instructions: &str) -> Vec<u8> {
    let configure = format!(
        r#"(func (export "deja:policy/plugin@1.0.0#configure") (param i32 i32) (result i32)
            {instructions} (i32.const 0))"#
    );
    component(CONTRACT, "keyer-plugin", &keyer_module(&configure, ""))
}

fn keyer_module(configure: &str, decide: &str) -> String {
    format!(
        r#"(module
            (import "deja:policy/http-request@1.0.0" "[resource-drop]request"
                (func $drop (param i32)))
            (import "deja:policy/logging@1.0.0" "log" (func $log (param i32 i32 i32)))
            {COMMON} {configure}
            (global $calls (mut i32) (i32.const 0))
            (func $deeper (call $deeper))
            (func (export "deja:policy/keyer@1.0.0#decide") (param $request i32) (result i32)
                {decide}
                (call $drop (local.get $request))
                (i32.const 0)))"#
    )
}

/// Instructions that answer with a recipe of 100,000 tags, each the same half megabyte of memory.
pub const HUGE_ANSWER: &str = r"
    (local $tag i32)
    (drop (memory.grow (i32.const 15)))
    (local.set $tag (i32.const 8192))
    (loop $more
        (i32.store offset=4 (local.get $tag) (i32.const 500000))
        (local.set $tag (i32.add (local.get $tag) (i32.const 8)))
        (br_if $more (i32.lt_u (local.get $tag) (i32.const 808192))))
    (i32.store offset=1060 (i32.const 0) (i32.const 8192))
    (i32.store offset=1064 (i32.const 0) (i32.const 100000))
    (call $drop (local.get $request))
    (return (i32.const 1024))";

/// An eviction policy that traps when it is told of entry 666.
#[must_use]
pub fn eviction_that_fears_666() -> Vec<u8> {
    let module = format!(
        r#"(module
            (import "[export]deja:policy/eviction@1.0.0" "[resource-new]policy"
                (func $new (param i32) (result i32)))
            {COMMON} {CONFIGURE}
            (func (export "deja:policy/eviction@1.0.0#[constructor]policy")
                (param i64 i64) (result i32)
                (call $new (i32.const 1)))
            (func (export "deja:policy/eviction@1.0.0#[method]policy.on-insert")
                (param i32 i64 i64 i64 i32 i32 i32 i64)
                (if (i64.eq (local.get 1) (i64.const 666)) (then unreachable)))
            (func (export "deja:policy/eviction@1.0.0#[method]policy.on-hit") (param i32 i32 i32))
            (func (export "deja:policy/eviction@1.0.0#[method]policy.on-remove")
                (param i32 i64 i32))
            (func (export "deja:policy/eviction@1.0.0#[method]policy.victims")
                (param i32 i64 i64) (result i32) (i32.const 0))
            (func (export "deja:policy/eviction@1.0.0#[method]policy.save")
                (param i32) (result i32) (i32.const 0))
            (func (export "deja:policy/eviction@1.0.0#[method]policy.restore")
                (param i32 i32 i32) (result i32) (i32.const 0)))"#
    );
    component(CONTRACT, "eviction-plugin", &module)
}

/// A stats component that reports this text.
#[must_use]
pub fn stats_that_report(report: &str) -> Vec<u8> {
    let length = report.len();
    let report = report.replace('"', "\\22");
    let module = format!(
        r#"(module
            (import "[export]deja:policy/stats@1.0.0" "[resource-new]collector"
                (func $new (param i32) (result i32)))
            {COMMON} {CONFIGURE}
            (data (i32.const 1032) "{report}")
            (func (export "deja:policy/stats@1.0.0#[constructor]collector") (result i32)
                (call $new (i32.const 1)))
            (func (export "deja:policy/stats@1.0.0#[method]collector.fold") (param i32 i32 i32))
            (func (export "deja:policy/stats@1.0.0#[method]collector.report")
                (param i32 i64 i64 i64 i64 i64 i64) (result i32)
                (i32.store (i32.const 1024) (i32.const 1032))
                (i32.store (i32.const 1028) (i32.const {length}))
                (i32.const 1024))
            (func (export "deja:policy/stats@1.0.0#[method]collector.samples")
                (param i32 i64 i64 i64 i64 i64 i64) (result i32) (i32.const 0))
            (func (export "deja:policy/stats@1.0.0#[method]collector.save")
                (param i32) (result i32) (i32.const 0))
            (func (export "deja:policy/stats@1.0.0#[method]collector.restore")
                (param i32 i32 i32) (result i32) (i32.const 0)))"#
    );
    component(CONTRACT, "stats-plugin", &module)
}

/// A keyer for another version of the contract.
#[must_use]
pub fn keyer_for(version: &str) -> Vec<u8> {
    let contract = CONTRACT.replace("deja:policy@1.0.0", &format!("deja:policy@{version}"));
    let module = keyer_module(CONFIGURE, "").replace("@1.0.0", &format!("@{version}"));
    component(&contract, "keyer-plugin", &module)
}

/// A component that wants to know the time.
#[must_use]
pub fn with_a_forbidden_import() -> Vec<u8> {
    let world = "world greedy { import clock: interface { now: func() -> u64; } \
                 include keyer-plugin; }";
    let module = format!(
        r#"(module (import "clock" "now" (func (result i64))) {COMMON} {CONFIGURE}
            (func (export "deja:policy/keyer@1.0.0#decide") (param i32) (result i32) unreachable))"#
    );
    component(&format!("{CONTRACT}\n{world}"), "greedy", &module)
}

/// A component that neither wants nor gives anything.
#[must_use]
pub fn empty_component() -> Vec<u8> {
    wat::parse_str("(component)").expect("is WebAssembly text")
}

/// A core module.
#[must_use]
pub fn core_module() -> Vec<u8> {
    wat::parse_str("(module)").expect("is WebAssembly text")
}

/// The same component with other bytes: nobody reads the custom section added to it.
#[must_use]
pub fn variant(component: &[u8], number: u8) -> Vec<u8> {
    [component, &[0, 2, 1, number]].concat()
}

fn component(contract: &str, world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("contract.wit", contract)
        .expect("the contract parses");
    let world = resolve
        .select_world(&[package], Some(world))
        .expect("the world exists");
    let mut module = wat::parse_str(module).expect("is WebAssembly text");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("embeds");
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).expect("is a module");
    encoder.encode().expect("fits its world")
}
