//! Every trace reader reads any file to its end.

#![no_main]

use std::sync::LazyLock;

use deja_fuzz::place::Place;
use deja_trace::{Columns, Format, ReadOptions, Trace};
use libfuzzer_sys::fuzz_target;

/// The longest line, in bytes.
const LINE: usize = 1 << 16;

/// The most items that are read: a packed file can hold many more bytes than the input.
const ITEMS: usize = 10_000;

static PLACES: LazyLock<[Place; 2]> =
    LazyLock::new(|| [Place::new("trace.jsonl"), Place::new("trace")]);

fuzz_target!(|data: &[u8]| {
    let formats = [
        Format::Segment,
        Format::Json,
        Format::JsonLines,
        Format::Blocks,
        Format::Keys,
        Format::Arc,
        Format::OracleGeneral,
    ];
    for place in &*PLACES {
        let path = place.write(data);
        read(path, ReadOptions::default());
    }
    let path = PLACES[1].write(data);
    for format in formats {
        read(
            path,
            ReadOptions {
                format: Some(format),
                ..ReadOptions::default()
            },
        );
    }
    let columns: Columns = "time=time,key=key,bytes=size"
        .parse()
        .expect("they are columns");
    read(
        path,
        ReadOptions {
            columns: Some(columns),
            ..ReadOptions::default()
        },
    );
});

/// Reads a trace to its end.
fn read(path: &std::path::Path, options: ReadOptions) {
    let options = ReadOptions {
        max_bytes: LINE,
        ..options
    };
    match deja_trace::open(path, &options) {
        Ok(Trace::Requests(files)) => {
            for file in files {
                for record in file.records().take(ITEMS) {
                    check(record);
                }
            }
        }
        Ok(Trace::Blocks(file)) => file.requests().take(ITEMS).for_each(check),
        Ok(Trace::Accesses(file)) => file.accesses().take(ITEMS).for_each(check),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What is passed over says why.
fn check<T>(item: Result<T, deja_trace::Skipped>) {
    if let Err(skipped) = item {
        assert!(!skipped.to_string().is_empty());
    }
}
