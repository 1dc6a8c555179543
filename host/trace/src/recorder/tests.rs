use std::{fs, path::Path, sync::mpsc};

use deja_wire::Endpoint;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{ReadOptions, RequestFile, Trace, open};

fn settings(dir: &Path) -> RecorderSettings {
    RecorderSettings {
        dir: dir.to_owned(),
        max_bytes: 1 << 30,
        max_age: Duration::from_hours(1),
        max_segment_bytes: 64 << 20,
        flush: Duration::from_hours(1),
        bodies: true,
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

fn asked(seed: u64) -> Record {
    let body = format!("{{\"model\": \"m\",\n \"seed\": {seed}}}");
    let mut record = Record::new(Endpoint::Messages, body.as_bytes());
    record.at_ms = seed;
    record.set_answer(b"{\"content\": []}");
    record
}

fn start(settings: RecorderSettings) -> Recorder {
    Recorder::start(settings).expect("a thread can be started")
}

/// Records these, and waits until they are written.
fn record(settings: RecorderSettings, seeds: impl IntoIterator<Item = u64>) -> RecorderStatus {
    let recorder = start(settings);
    for seed in seeds {
        recorder.record(1, move || asked(seed));
    }
    recorder.flush();
    recorder.status()
}

/// The times of the records in a folder, and how much was passed over.
fn read(dir: &Path) -> (Vec<u64>, usize) {
    let options = ReadOptions::default();
    let Trace::Requests(files) = open(dir, &options).expect("it is a trace") else {
        panic!("it holds requests");
    };
    let records: Vec<_> = files.iter().flat_map(RequestFile::records).collect();
    let skipped = records.iter().filter(|record| record.is_err()).count();
    (
        records
            .into_iter()
            .flatten()
            .map(|record| record.at_ms)
            .collect(),
        skipped,
    )
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(dir).expect("it is a folder");
    let mut paths: Vec<_> = items
        .map(|item| item.expect("it can be read").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn what_is_recorded_can_be_read() {
    let folder = folder();
    let status = record(settings(folder.path()), 0..100);
    assert_eq!(
        (status.written, status.dropped, status.error),
        (100, 0, None)
    );
    assert_eq!(read(folder.path()), ((0..100).collect(), 0));
    // Another process, or another start, begins another segment.
    record(settings(folder.path()), 100..101);
    assert_eq!(segments(folder.path()).len(), 2);
    assert_eq!(read(folder.path()).0.len(), 101);
}

#[test]
fn bodies_can_be_left_out() {
    let folder = folder();
    let bodies = RecorderSettings {
        bodies: false,
        ..settings(folder.path())
    };
    record(bodies, [7]);
    let packed = fs::read(&segments(folder.path())[0]).expect("it can be read");
    let text = zstd::decode_all(&packed[..]).expect("it is whole");
    let line = str::from_utf8(&text)
        .expect("it is text")
        .lines()
        .nth(1)
        .expect("there is one");
    let read: Record = serde_json::from_str(line).expect("it is a record");
    assert!(read.body.is_none() && read.answer.is_none());
    let full = asked(7);
    assert_eq!(
        (read.body_digest, read.body_bytes),
        (full.body_digest, full.body_bytes)
    );
    assert_eq!(read.answer_digest, full.answer_digest);
}

#[test]
fn a_trace_is_readable_while_it_grows() {
    let folder = folder();
    let flush = Duration::ZERO;
    let recorder = start(RecorderSettings {
        flush,
        ..settings(folder.path())
    });
    recorder.record(1, || asked(1));
    // The second is made after the first was written.
    let (made, second) = mpsc::channel();
    let dir = folder.path().to_owned();
    recorder.record(1, move || {
        made.send(read(&dir)).expect("somebody waits");
        asked(2)
    });
    assert_eq!(second.recv(), Ok((vec![1], 0)));
}

#[test]
fn a_slow_disk_costs_records_and_no_request() {
    let folder = folder();
    let recorder = start(settings(folder.path()));
    let (go_on, told) = mpsc::channel::<()>();
    recorder.record(MOST_WAITING_BYTES + 1, move || {
        told.recv().expect("it is told");
        asked(0)
    });
    recorder.record(1, || asked(1));
    assert_eq!(recorder.status().dropped, 1, "too many bytes wait");
    go_on.send(()).expect("it waits");
    drop(recorder);
    assert_eq!(read(folder.path()), (vec![0], 0));
}

#[test]
fn a_disk_that_takes_nothing_costs_records_and_no_request() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").expect("it can be written");
    let status = record(settings(&file.join("traces")), 0..3);
    assert_eq!((status.written, status.dropped), (0, 3));
    assert!(status.error.is_some());
}

#[test]
fn the_oldest_segments_leave() {
    let folder = folder();
    let limits = RecorderSettings {
        flush: Duration::ZERO,
        max_segment_bytes: 1,
        max_bytes: 3000,
        ..settings(folder.path())
    };
    fs::write(folder.path().join("notes.jsonl"), "").expect("it can be written");
    record(limits, 0..40);
    let bytes = |path: &PathBuf| fs::metadata(path).expect("it is there").len();
    let total: u64 = segments(folder.path()).iter().map(bytes).sum();
    assert!((1..=3000).contains(&total), "{total}");
    let (times, _) = read(folder.path());
    assert_eq!(times.last(), Some(&39));
    assert!(times.len() < 40 && times.is_sorted());
    assert!(
        folder.path().join("notes.jsonl").exists(),
        "it is none of ours"
    );
}

#[test]
fn segments_that_are_too_old_leave() {
    let folder = folder();
    record(settings(folder.path()), 0..1);
    record(
        RecorderSettings {
            max_age: Duration::ZERO,
            ..settings(folder.path())
        },
        [],
    );
    assert_eq!(segments(folder.path()).len(), 0);
}

#[test]
fn nobody_else_can_read_a_trace() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let dir = folder.path().join("traces");
    record(settings(&dir), 0..1);
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o077
    };
    assert_eq!((mode(&dir), mode(&segments(&dir)[0])), (0, 0));
}

#[test]
fn version_1_can_be_read_and_a_later_one_is_refused() {
    let version_1 = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/version-1.jsonl.zst");
    let Ok(Trace::Requests(files)) = open(&version_1, &ReadOptions::default()) else {
        panic!("it holds requests");
    };
    let records: Result<Vec<_>, _> = files[0].records().collect();
    let records = records.expect("all are whole");
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].outcome, Some(deja_cache::OutcomeKind::Miss));
    assert_eq!(records[1].usage.prompt, Some(12));

    let folder = folder();
    let later = "{\"format\":\"deja-trace\",\"version\":2,\"writer\":\"x\",\"begun_ms\":0,\"bodies\":true}\n{}\n";
    fs::write(folder.path().join("trace-2.jsonl"), later).expect("it can be written");
    let Ok(Trace::Requests(files)) = open(folder.path(), &ReadOptions::default()) else {
        panic!("it holds requests");
    };
    let read: Vec<_> = files[0]
        .records()
        .map(|r| r.map_err(|s| s.reason.to_string()).err())
        .collect();
    let refused = "version 2 of the format is later than 1, the newest known";
    assert_eq!(read, [Some(refused.to_owned())]);
}

proptest! {
    #[test]
    fn whatever_is_cut_off_the_whole_blocks_are_read(cut in 0.0_f64..1.0) {
        let folder = folder();
        let flush = Duration::ZERO;
        record(RecorderSettings { flush, ..settings(folder.path()) }, 0..5);
        let path = &segments(folder.path())[0];
        let mut bytes = fs::read(path).expect("it can be read");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "it is a fraction")]
        let left = (bytes.len() as f64 * cut) as usize;
        let magic: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
        let whole = bytes.windows(4).enumerate().filter(|(at, window)| *window == magic && *at <= left).count();
        bytes.truncate(left);
        fs::write(path, &bytes).expect("it can be written");
        let (times, skipped) = read(folder.path());
        prop_assert!(times.len() + 1 >= whole, "{} of {}", times.len(), whole);
        prop_assert!(times.iter().copied().eq(0..times.len() as u64));
        prop_assert!(skipped <= 1);
    }
}
