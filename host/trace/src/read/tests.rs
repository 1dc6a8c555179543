use std::{fs, io::Write as _, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;
use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("it can be written");
        path
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes it")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn small() -> ReadOptions {
    ReadOptions {
        max_bytes: 1000,
        ..ReadOptions::default()
    }
}

fn accesses(path: &Path, options: &ReadOptions) -> Vec<Result<Access, String>> {
    match open(path, options).expect("it is a trace") {
        Trace::Accesses(file) => file
            .accesses()
            .map(|read| read.map_err(|skipped| told(&skipped)))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn records(path: &Path, options: &ReadOptions) -> Vec<Result<Record, String>> {
    match open(path, options).expect("it is a trace") {
        Trace::Requests(files) => {
            let records = files.iter().flat_map(RequestFile::records);
            records
                .map(|read| read.map_err(|skipped| told(&skipped)))
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The place and the reason, without the folder.
fn told(skipped: &Skipped) -> String {
    let name = skipped
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    format!("{name}{}: {}", skipped.place, skipped.reason)
}

fn keys(accesses: &[Result<Access, String>]) -> Vec<u64> {
    accesses.iter().flatten().map(|access| access.key).collect()
}

#[test]
fn keys_stand_one_a_line_packed_or_not() {
    let folder = Folder::new();
    let text = b"7\n\n8\r\n7";
    for (name, bytes) in [
        ("a.trace", text.to_vec()),
        ("a.trace.gz", gzip(text)),
        ("a.trace.zst", zstd(text)),
    ] {
        let path = folder.write(name, bytes);
        assert_eq!(keys(&accesses(&path, &small())), [7, 8, 7], "{name}");
    }
    let path = folder.write("b.txt", "GET /a\n");
    assert!(matches!(
        open(&path, &small()),
        Err(OpenError::UnknownFormat(_))
    ));
    let path = folder.write("b.txt", "a\nb\na\n");
    let keys = keys(&accesses(&path, &small()));
    assert!(keys[0] == keys[2] && keys[0] != keys[1]);
}

#[test]
fn a_run_of_blocks_is_as_many_accesses() {
    let folder = Folder::new();
    let path = folder.write(
        "a.lis",
        "5 3 0 1\n9 0 0 2\n9 -1 0 3\nx\n4 1 0 4\n1 99999999999 0 5\n",
    );
    let read = accesses(&path, &small());
    assert_eq!(keys(&read), [5, 6, 7, 4]);
    let skipped: Vec<_> = read.into_iter().filter_map(Result::err).collect();
    assert_eq!(
        skipped,
        [
            "a.lis:2: the number of blocks is missing, or no whole number above 0",
            "a.lis:3: the number of blocks is missing, or no whole number above 0",
            "a.lis:4: the first block is missing, or no whole number above 0",
            "a.lis:6: the number of blocks is missing, or no whole number above 0",
        ]
    );
}

#[test]
fn entries_of_oracle_general_have_24_bytes() {
    let entry = |time: u32, key: u64, bytes: u32| {
        [
            &time.to_le_bytes()[..],
            &key.to_le_bytes(),
            &bytes.to_le_bytes(),
            &[0xFF; 8],
        ]
        .concat()
    };
    let bytes = [
        entry(9, 1, 512),
        entry(3, u64::MAX, 0),
        entry(4, 2, 7),
        vec![1],
    ]
    .concat();
    let folder = Folder::new();
    let path = folder.write("a.oracleGeneral.bin.zst", zstd(&bytes));
    let read = accesses(&path, &small());
    let access = |at_ms, key, bytes| {
        Ok(Access {
            at_ms,
            key,
            bytes,
            cost_ms: 1,
        })
    };
    let name = "a.oracleGeneral.bin.zst";
    assert_eq!(
        read,
        [
            access(9000, 1, 512),
            Err(format!(
                "{name}, entry 2: the size is missing, or no whole number above 0"
            )),
            access(4000, 2, 7),
            Err(format!("{name}, entry 4: it is cut off")),
        ]
    );
}

#[test]
fn columns_are_found_by_name_or_by_number() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "ts,\"id\",size\n1.5,7,10\n0,8,-1\n2,x\n3,9,2\n");
    assert!(matches!(
        open(&path, &small()),
        Err(OpenError::NoColumns(_))
    ));
    let with = |columns: &str| ReadOptions {
        columns: columns.parse().ok(),
        ..small()
    };
    let read = accesses(&path, &with("key=id,time=ts,bytes=size"));
    let first = Access {
        at_ms: 1500,
        key: 7,
        bytes: 10,
        cost_ms: 1,
    };
    assert_eq!(read[0], Ok(first));
    assert_eq!(keys(&read), [7, 9]);
    assert_eq!(
        read[1],
        Err("a.csv:3: field 3 is missing, or no whole number above 0".into())
    );
    assert_eq!(accesses(&path, &with("key=2")).len(), 5);
    let unknown = accesses(&path, &with("key=name"));
    assert_eq!(
        unknown,
        [Err(
            "a.csv:1: column `name` is missing, or no whole number above 0".into()
        )]
    );
}

#[test]
fn requests_may_be_known_by_their_blocks() {
    let folder = Folder::new();
    let lines = "{\"timestamp\": 5, \"input_length\": 9, \"output_length\": 2, \"hash_ids\": [1, 2]}\n\
                 {\"timestamp\": 3, \"input_length\": -9, \"hash_ids\": []}\n{\"hash_ids\": [1]}\n";
    let path = folder.write("a.jsonl", lines);
    let Trace::Blocks(file) = open(&path, &small()).expect("it is a trace") else {
        panic!("it holds blocks");
    };
    let read: Vec<_> = file
        .requests()
        .map(|read| read.map_err(|skipped| told(&skipped)))
        .collect();
    assert_eq!(
        read.iter()
            .flatten()
            .map(|r| r.blocks.len())
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert!(
        read[1]
            .as_ref()
            .is_err_and(|error| error.starts_with("a.jsonl:2: "))
    );
    // In a folder it is no request.
    let read = records(folder.0.path(), &small());
    assert!(
        read[0]
            .as_ref()
            .is_err_and(|error| error.contains("has no requests"))
    );
}

#[test]
fn a_folder_is_read_file_by_file_and_broken_ones_are_named() {
    let folder = Folder::new();
    let body =
        |seed: u32| json!({"request": {"url": "/v1/chat/completions", "body": {"seed": seed}}});
    folder.write(
        "2.json",
        serde_json::to_vec_pretty(&body(2)).expect("it is JSON"),
    );
    folder.write("1.json", body(1).to_string());
    folder.write("3.json", "{\"request\": ");
    folder.write("4.json", "x".repeat(1001));
    folder.write("5.json", b"\xFF\xFE");
    folder.write(
        "6.jsonl.zst",
        &zstd(format!("{}\n{}\n", body(3), body(4)).as_bytes())[..40],
    );
    folder.write("notes.txt", "nothing");
    let inner = folder.0.path().join("inner");
    fs::create_dir(&inner).expect("it can be made");
    fs::write(
        inner.join("7.jsonl"),
        format!("{}\n\n[]\n{}", body(5), body(6)),
    )
    .expect("it can be written");
    let read = records(folder.0.path(), &small());
    let bodies: Vec<_> = read
        .iter()
        .flatten()
        .map(|r| r.body.as_ref().expect("it has one").get().len())
        .collect();
    assert_eq!(bodies.len(), 4);
    let skipped: Vec<_> = read.iter().filter_map(|r| r.as_ref().err()).collect();
    let names: Vec<_> = skipped
        .iter()
        .map(|text| text.split(':').next().expect("it is named"))
        .collect();
    assert_eq!(
        names,
        ["3.json", "4.json", "5.json", "6.jsonl.zst", "7.jsonl"]
    );
}

#[test]
fn an_empty_folder_is_no_trace() {
    let folder = Folder::new();
    assert!(matches!(
        open(folder.0.path(), &small()),
        Err(OpenError::Empty(_))
    ));
    let nowhere = folder.0.path().join("nowhere");
    assert!(matches!(
        open(&nowhere, &small()),
        Err(OpenError::Unreadable { .. })
    ));
    let empty = folder.write("empty", "");
    assert!(matches!(
        open(&empty, &small()),
        Err(OpenError::UnknownFormat(_))
    ));
}

#[test]
fn a_line_is_held_up_to_a_limit_and_the_next_is_read() {
    let folder = Folder::new();
    let long = vec![b'x'; 8 << 20];
    let path = folder.write("a.trace", [b"1\n", &long[..], b"\n2\n", &long].concat());
    let read = accesses(&path, &small());
    assert_eq!(keys(&read), [1, 2]);
    assert_eq!(
        read[1],
        Err("a.trace:2: it is longer than 1000 bytes".into())
    );
}

#[test]
fn a_line_of_a_gigabyte_is_passed_over() {
    let folder = Folder::new();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory takes it");
    let mebibyte = vec![b'x'; 1 << 20];
    encoder.write_all(b"1\n").expect("memory takes it");
    for _ in 0..1024 {
        encoder.write_all(&mebibyte).expect("memory takes it");
    }
    encoder.write_all(b"\n2\n").expect("memory takes it");
    let path = folder.write("a.zst", encoder.finish().expect("memory takes it"));
    let read = accesses(&path, &small());
    assert_eq!((keys(&read), read.len()), (vec![1, 2], 3));
}

#[test]
fn times_may_run_backwards_where_they_are_only_told() {
    let folder = Folder::new();
    let line = |at: u32| format!("{{\"timestamp\":{at},\"input\":\"a\",\"output\":\"b\"}}\n");
    let path = folder.write("a.jsonl", [9, 3].map(line).concat());
    let read = records(&path, &small());
    let times: Vec<_> = read.iter().flatten().map(|record| record.at_ms).collect();
    assert_eq!(times, [9000, 3000]);
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "request",
        "body",
        "\"input\":",
        "\"timestamp\":",
        "-1",
        "0",
        "1e400",
        " ",
        "null",
        "\u{0}",
        "\"hash_ids\":[",
        "é",
        "\"format\":\"deja-trace\"",
    ];
    let pieces = vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![pieces, vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn no_reader_fails_on_any_bytes_or_reads_for_ever(
        lines in vec(any_line(), 0..8), packing in 0_u8..3, cut in 0_usize..60,
    ) {
        let text = lines.join(&b'\n');
        let mut bytes = match packing {
            0 => text.clone(),
            1 => zstd(&text),
            _ => gzip(&text),
        };
        bytes.truncate(bytes.len().saturating_sub(cut));
        let folder = Folder::new();
        let path = folder.write("any", bytes);
        let formats = [
            Format::Segment, Format::Json, Format::JsonLines, Format::Blocks, Format::Keys,
            Format::Arc, Format::OracleGeneral, Format::Csv,
        ];
        for format in formats.map(Some).into_iter().chain([None]) {
            let options = ReadOptions { format, columns: "key=1,bytes=2".parse().ok(), max_bytes: 50 };
            let count = match open(&path, &options) {
                Ok(Trace::Requests(files)) => files.iter().flat_map(RequestFile::records).count(),
                Ok(Trace::Blocks(file)) => file.requests().count(),
                Ok(Trace::Accesses(file)) => file.accesses().filter(Result::is_err).count(),
                Err(_) => 0,
            };
            prop_assert!(count <= text.len() + 2, "{} of {:?}", count, format);
        }
    }
}
