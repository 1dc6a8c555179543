//! Stats components.

use crate::{CONTRACT, MEMORY, PLUGIN, component};

/// What `report` and `samples` take and give.
const QUESTION: &str = "(param i32 i64 i64 i64 i64 i64 i64) (result i32)";

/// A stats component that reports this text.
#[must_use]
pub fn stats_that_report(report: &str) -> Vec<u8> {
    collector(report, |_| "")
}

/// A stats component that runs these instructions in one function from its second fold on, and so
/// not in its self-test; in `restore` at once.
#[must_use]
pub fn stats_whose(function: &str, instructions: &str) -> Vec<u8> {
    let guarded =
        format!("(if (i32.ge_u (global.get $folds) (i32.const 2)) (then {instructions}))");
    collector("{}", |name| match name {
        _ if name != function => "",
        "restore" => instructions,
        _ => &guarded,
    })
}

fn collector<'a>(report: &str, first: impl Fn(&str) -> &'a str) -> Vec<u8> {
    let length = report.len();
    let report = report.replace('"', "\\22");
    let function = |name: &str, signature: &str, rest: &str| {
        let first = first(name);
        format!(
            r#"(func (export "deja:policy/stats@1.0.0#[method]collector.{name}") {signature}
                {first} {rest})"#
        )
    };
    let functions = [
        function("report", QUESTION, "(i32.const 1024)"),
        function("samples", QUESTION, "(i32.const 0)"),
        function("save", "(param i32) (result i32)", "(i32.const 0)"),
        function(
            "restore",
            "(param i32 i32 i32) (result i32)",
            "(i32.const 0)",
        ),
    ];
    let (functions, fold) = (functions.concat(), first("fold"));
    let module = format!(
        r#"(module
            (import "[export]deja:policy/stats@1.0.0" "[resource-new]collector"
                (func $new (param i32) (result i32)))
            {MEMORY} {PLUGIN}
            (global $folds (mut i32) (i32.const 0))
            (data (i32.const 1024) "\08\04\00\00" "\{length:02x}\00\00\00")
            (data (i32.const 1032) "{report}")
            (func (export "deja:policy/stats@1.0.0#[constructor]collector") (result i32)
                (call $new (i32.const 1)))
            (func (export "deja:policy/stats@1.0.0#[method]collector.fold") (param i32 i32 i32)
                (global.set $folds (i32.add (global.get $folds) (i32.const 1)))
                {fold})
            {functions})"#
    );
    component(CONTRACT, "stats-plugin", &module)
}
