//! Eviction policies.

use crate::{CONTRACT, MEMORY, PLUGIN, component};

/// The functions of a policy, what they take and give, and what they do.
const FUNCTIONS: [(&str, &str, &str); 6] = [
    ("on-insert", "(param i32 i64 i64 i64 i32 i32 i32 i64)", ""),
    ("on-hit", "(param i32 i32 i32)", ""),
    ("on-remove", "(param i32 i64 i32)", ""),
    (
        "victims",
        "(param i32 i64 i64) (result i32)",
        "(i32.const 0)",
    ),
    ("save", "(param i32) (result i32)", "(i32.const 0)"),
    (
        "restore",
        "(param i32 i32 i32) (result i32)",
        "(i32.const 0)",
    ),
];

/// An eviction policy that names no victims, and runs these instructions in one function once it
/// knows of four entries, which is more than the self-test tells it of; in `restore` at once.
#[must_use]
pub fn eviction_whose(function: &str, instructions: &str) -> Vec<u8> {
    let guarded =
        format!("(if (i32.ge_u (global.get $inserts) (i32.const 4)) (then {instructions}))");
    policy(|name| match name {
        _ if name != function => "",
        "restore" => instructions,
        _ => &guarded,
    })
}

/// An eviction policy that traps when it is told of entry 666.
#[must_use]
pub fn eviction_that_fears_666() -> Vec<u8> {
    policy(|name| match name {
        "on-insert" => "(if (i64.eq (local.get 1) (i64.const 666)) (then unreachable))",
        _ => "",
    })
}

fn policy<'a>(first: impl Fn(&'static str) -> &'a str) -> Vec<u8> {
    let functions = FUNCTIONS.map(|(name, signature, rest)| {
        let first = first(name);
        let count = if name == "on-insert" {
            "(global.set $inserts (i32.add (global.get $inserts) (i32.const 1)))"
        } else {
            ""
        };
        format!(
            r#"(func (export "deja:policy/eviction@1.0.0#[method]policy.{name}") {signature}
                {count} {first} {rest})"#
        )
    });
    let functions = functions.concat();
    let module = format!(
        r#"(module
            (import "[export]deja:policy/eviction@1.0.0" "[resource-new]policy"
                (func $new (param i32) (result i32)))
            {MEMORY} {PLUGIN}
            (global $inserts (mut i32) (i32.const 0))
            (func (export "deja:policy/eviction@1.0.0#[constructor]policy")
                (param i64 i64) (result i32)
                (call $new (i32.const 1)))
            {functions})"#
    );
    component(CONTRACT, "eviction-plugin", &module)
}
