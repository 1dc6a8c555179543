//! A keyer that needs a WASI, as those in JavaScript and Python do.

use crate::{CONTRACT, MEMORY, PLUGIN, component};

/// The parts of WASI that it imports, in a version of its own.
const WASI: &str = "
    package wasi:random@0.2.6 {
        interface random {
            get-random-u64: func() -> u64;
            get-random-bytes: func(len: u64) -> list<u8>;
        }
    }
    package wasi:io@0.2.6 {
        interface error { resource error; }
        interface poll { resource pollable { block: func(); } }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream {
                blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
            }
        }
    }
    package wasi:clocks@0.2.6 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.6.{pollable};
            now: func() -> u64;
            subscribe-duration: func(when: u64) -> pollable;
        }
    }
    package wasi:cli@0.2.6 {
        interface stderr {
            use wasi:io/streams@0.2.6.{output-stream};
            get-stderr: func() -> output-stream;
        }
        interface exit { exit: func(status: result); }
    }";

const WORLD: &str = "
    world with-wasi {
        import wasi:random/random@0.2.6;
        import wasi:io/poll@0.2.6;
        import wasi:io/streams@0.2.6;
        import wasi:clocks/monotonic-clock@0.2.6;
        import wasi:cli/stderr@0.2.6;
        import wasi:cli/exit@0.2.6;
        include keyer-plugin;
    }";

const IMPORTS: &str = r#"
    (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
    (import "wasi:random/random@0.2.6" "get-random-bytes" (func $bytes (param i64 i32)))
    (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
        (func $after (param i64) (result i32)))
    (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
    (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
    (import "deja:policy/http-request@1.0.0" "[resource-drop]request" (func $drop (param i32)))"#;

/// A keyer that runs these instructions before it answers; `$partition` makes a number the
/// partition that it answers with.
#[must_use]
pub fn keyer_with_wasi(instructions: &str) -> Vec<u8> {
    let module = format!(
        r#"(module {IMPORTS} {MEMORY} {PLUGIN}
            (data (i32.const 2048) "a line\n")
            (func $partition (param $number i64)
                (local $place i32)
                (loop $digit
                    (i32.store8 offset=3000 (local.get $place) (i32.add (i32.const 97)
                        (i32.wrap_i64 (i64.and (local.get $number) (i64.const 15)))))
                    (local.set $number (i64.shr_u (local.get $number) (i64.const 4)))
                    (local.set $place (i32.add (local.get $place) (i32.const 1)))
                    (br_if $digit (i32.lt_u (local.get $place) (i32.const 16))))
                (i32.store8 offset=1040 (i32.const 0) (i32.const 1))
                (i32.store offset=1044 (i32.const 0) (i32.const 3000))
                (i32.store offset=1048 (i32.const 0) (i32.const 16)))
            (func (export "deja:policy/keyer@1.0.0#decide") (param $request i32) (result i32)
                {instructions}
                (call $drop (local.get $request))
                (i32.const 1024)))"#
    );
    let contract = format!("{CONTRACT}\n{WORLD}\n{WASI}");
    component(&contract, "with-wasi", &module)
}
