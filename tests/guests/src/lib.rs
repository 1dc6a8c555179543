//! Components that misbehave, as WebAssembly text.
//!
//! Memory is all zeros where a result is read, which the canonical ABI takes for empty strings and
//! lists, and for the first case of every variant: a keyer that does nothing answers `cache` with an
//! empty recipe.

mod edits;
mod eviction;
mod stats;
mod wasi;

pub use edits::{Edit, keyer_that_edits};
pub use eviction::{eviction_that_fears_666, eviction_whose};
pub use stats::{stats_that_report, stats_whose};
pub use wasi::keyer_with_wasi;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../wit/deja-policy.wit");

/// What all of them have. The host hands over one list or text in a call at most, so each may lie at
/// the same place.
const MEMORY: &str = r#"
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16384))"#;

/// What most of them have.
const PLUGIN: &str = r#"
    (func (export "deja:policy/plugin@1.0.0#describe") (result i32) (i32.const 0))
    (func (export "deja:policy/plugin@1.0.0#configure") (param i32 i32) (result i32)
        (i32.const 0))"#;

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
        &keyer_module(PLUGIN, instructions),
    )
}

/// A keyer that runs these instructions when it is configured.
#[must_use]
pub fn keyer_that_configures_by(instructions: &str) -> Vec<u8> {
    let signature = "(param i32 i32) (result i32)";
    let plugin = PLUGIN.replace(signature, &format!("{signature} {instructions}"));
    component(CONTRACT, "keyer-plugin", &keyer_module(&plugin, ""))
}

/// A keyer that runs these instructions when it is to say what it is.
#[must_use]
pub fn keyer_that_describes_by(instructions: &str) -> Vec<u8> {
    let name = "describe\") (result i32)";
    let plugin = PLUGIN.replace(name, &format!("{name} {instructions}"));
    component(CONTRACT, "keyer-plugin", &keyer_module(&plugin, ""))
}

/// A keyer that runs these instructions for Anthropic's messages only, and so not in its self-test.
#[must_use]
pub fn keyer_for_messages_that(instructions: &str) -> Vec<u8> {
    keyer(&format!(
        "(if (i32.eq (call $endpoint (local.get $request)) (i32.const 1)) (then {instructions}))"
    ))
}

/// A keyer with these bytes at a place in its memory.
fn keyer_with_data(place: u32, bytes: &[u8], instructions: &str) -> Vec<u8> {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let data = format!("{PLUGIN} (data (i32.const {place}) \"{}\")", bytes.concat());
    component(CONTRACT, "keyer-plugin", &keyer_module(&data, instructions))
}

fn keyer_module(plugin: &str, decide: &str) -> String {
    format!(
        r#"(module
            (import "deja:policy/http-request@1.0.0" "[resource-drop]request"
                (func $drop (param i32)))
            (import "deja:policy/http-request@1.0.0" "[method]request.endpoint"
                (func $endpoint (param i32) (result i32)))
            (import "deja:policy/logging@1.0.0" "log" (func $log (param i32 i32 i32)))
            {MEMORY} {plugin}
            (global $calls (mut i32) (i32.const 0))
            (func $deeper (call $deeper))
            (func (export "deja:policy/keyer@1.0.0#decide") (param $request i32) (result i32)
                (local $n i32)
                {decide}
                (call $drop (local.get $request))
                (i32.const 0)))"#
    )
}

/// Instructions that never end.
pub const ENDLESS: &str = "(loop $on (br $on))";

/// Instructions that want ever more memory.
pub const GREEDY: &str = "(loop $on (drop (memory.grow (i32.const 16))) (br $on))";

/// Instructions of a keyer that calls itself without end.
pub const BOTTOMLESS: &str = "(call $deeper)";

/// Instructions of a keyer that logs ten million lines.
pub const CHATTY: &str = "
    (local.set $n (i32.const 10000000))
    (loop $on
        (call $log (i32.const 3) (i32.const 2048) (i32.const 100))
        (br_if $on (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";

/// Instructions that answer with a list or text of a gigabyte.
pub const GIGABYTE: &str = "
    (i32.store offset=1024 (i32.const 0) (i32.const 4096))
    (i32.store offset=1028 (i32.const 0) (i32.const 0x40000000))
    (return (i32.const 1024))";

/// Instructions that answer with a list of this one entry.
#[must_use]
pub fn naming(id: u64) -> String {
    format!(
        "(i64.store offset=1032 (i32.const 0) (i64.const {id}))
         (i32.store offset=1024 (i32.const 0) (i32.const 1032))
         (i32.store offset=1028 (i32.const 0) (i32.const 1))
         (return (i32.const 1024))"
    )
}

/// Instructions that answer with the text `nope`.
pub const NOT_JSON: &str = "
    (i32.store offset=3000 (i32.const 0) (i32.const 0x65706f6e))
    (i32.store offset=1024 (i32.const 0) (i32.const 3000))
    (i32.store offset=1028 (i32.const 0) (i32.const 4))
    (return (i32.const 1024))";

/// Instructions that answer with one sample that is not a number.
pub const NOT_A_NUMBER: &str = "
    (f64.store offset=3016 (i32.const 0) (f64.const nan))
    (i32.store offset=2048 (i32.const 0) (i32.const 3000))
    (i32.store offset=2052 (i32.const 0) (i32.const 1))
    (return (i32.const 2048))";

/// Instructions that answer with a recipe of 100,000 tags, each the same half megabyte of memory.
pub const HUGE_ANSWER: &str = r"
    (drop (memory.grow (i32.const 15)))
    (local.set $n (i32.const 8192))
    (loop $more
        (i32.store offset=4 (local.get $n) (i32.const 500000))
        (local.set $n (i32.add (local.get $n) (i32.const 8)))
        (br_if $more (i32.lt_u (local.get $n) (i32.const 808192))))
    (i32.store offset=1060 (i32.const 0) (i32.const 8192))
    (i32.store offset=1064 (i32.const 0) (i32.const 100000))
    (call $drop (local.get $request))
    (return (i32.const 1024))";

/// A keyer for another version of the contract.
#[must_use]
pub fn keyer_for(version: &str) -> Vec<u8> {
    let contract = CONTRACT.replace("deja:policy@1.0.0", &format!("deja:policy@{version}"));
    let module = keyer_module(PLUGIN, "").replace("@1.0.0", &format!("@{version}"));
    component(&contract, "keyer-plugin", &module)
}

/// A component that wants to know the time.
#[must_use]
pub fn with_a_forbidden_import() -> Vec<u8> {
    let world = "world greedy { import clock: interface { now: func() -> u64; } \
                 include keyer-plugin; }";
    let module = format!(
        r#"(module (import "clock" "now" (func (result i64))) {MEMORY} {PLUGIN}
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
    [component, &[0, 2, 0, number]].concat()
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
