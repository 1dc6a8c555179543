//! Requests that were recorded, in any format that has them whole.

use std::{path::Path, sync::Arc};

use anyhow::{bail, ensure};
use deja_cache::KeyRequest;
use deja_trace::{ReadOptions, Record, RequestFile, Trace};
use serde_json::value::RawValue;
use tracing::warn;

/// The requests of a trace, in their order. What cannot be read is told and passed over.
pub(super) fn read(trace: &Path) -> anyhow::Result<Vec<Record>> {
    let Trace::Requests(files) = deja_trace::open(trace, &ReadOptions::default())? else {
        bail!("{} holds no whole requests", trace.display());
    };
    let mut requests = Vec::new();
    for read in files.iter().flat_map(RequestFile::records) {
        match read {
            Ok(record) if record.body.is_some() => requests.push(record),
            Ok(_) => {}
            Err(skipped) => warn!(reason = %skipped.reason, "{skipped} is passed over"),
        }
    }
    ensure!(
        !requests.is_empty(),
        "{} holds no request with its body",
        trace.display()
    );
    Ok(requests)
}

/// What a keyer is asked about a record.
pub(super) fn asked(record: &Record) -> KeyRequest {
    let body = record.body.as_deref().map_or("null", RawValue::get);
    let body = serde_json::from_str(body).expect("a record's body is JSON");
    deja_lab::key_request(record, Arc::new(body))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_request_is_passed_over() {
        let folder = tempfile::tempdir().expect("there is room");
        assert!(read(folder.path()).is_err(), "there is none");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("there is room");
        };
        write("0.json", "{");
        assert!(read(folder.path()).is_err(), "it is broken");
        write("2.json", r#"{"messages": [], "seed": 2}"#);
        write(
            "1.json",
            r#"{"request": {"url": "/v1/messages", "body": {"seed": 1}}}"#,
        );
        let requests = read(folder.path()).expect("two are whole");
        let bodies = requests.iter().filter_map(|record| record.body.as_ref());
        let bodies: Vec<_> = bodies.map(|body| body.get()).collect();
        assert_eq!(bodies, [r#"{"seed": 1}"#, r#"{"messages": [], "seed": 2}"#]);
    }
}
