//! Checks that the components that go into the binary have been built.

use std::path::Path;

fn main() {
    for name in [
        "claude-code",
        "codex",
        "exact",
        "fifo",
        "gdsf",
        "ignore-fields",
        "lru",
        "normalise-text",
        "s3-fifo",
        "sampling",
        "sieve",
        "standard",
        "w-tinylfu",
    ] {
        let path = format!("../../plugins/dist/{name}.wasm");
        println!("cargo::rerun-if-changed={path}");
        if !Path::new(&path).is_file() {
            println!(
                "cargo::error=plugins/dist/{name}.wasm is not there: run `cargo xtask plugins`"
            );
        }
    }
}
