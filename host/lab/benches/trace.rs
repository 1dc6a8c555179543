//! A trace of 10,000 files of 50 KB, read and analysed.

use std::{fs, path::Path, time::Instant};

use deja_cache::KeyerChain;
use deja_lab::analyze::analyze;
use deja_trace::ReadOptions;
use serde_json::{Value, json};

const FILES: usize = 10_000;

/// An exchange as anyclaude records it: what Claude Code sends, of about 50 KB.
fn exchange(number: usize) -> Value {
    let tool = |at: usize| {
        let description = "Reads a file from the local file system. ".repeat(40);
        let path = json!({"type": "string", "description": "The absolute path to the file"});
        json!({"name": format!("Tool{at}"), "description": description, "input_schema": {
            "type": "object", "properties": {"path": path, "limit": {"type": "integer"}},
        }})
    };
    let message = |at: usize| {
        let role = if at.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        };
        let text = format!("let line_{at} = read(\"{number}\")?;\n\t// \"quoted\"\n").repeat(20);
        json!({"role": role, "content": [{"type": "text", "text": text}]})
    };
    let body = json!({
        "model": "claude-sonnet", "max_tokens": 128_000, "stream": true,
        "metadata": {"user_id": format!("session-{number}")},
        "system": [{"type": "text", "text": "You are an agent. ".repeat(500)}],
        "tools": (0..12).map(tool).collect::<Vec<_>>(),
        "messages": (0..9).map(message).collect::<Vec<_>>(),
    });
    json!({
        "timestamp": "2025-10-26T00:37:59.155Z", "mode": "claude",
        "request": {"method": "POST", "url": "/v1/messages", "headers": {}, "body": body},
        "response": {"statusCode": 200, "headers": {}, "body": {
            "content": [{"type": "text", "text": "Done."}],
            "usage": {"input_tokens": 9000, "output_tokens": 3},
        }},
    })
}

/// Writes the files; returns their bytes.
fn write(folder: &Path) -> usize {
    let write = |number| {
        let text = serde_json::to_vec_pretty(&exchange(number)).expect("it is JSON");
        fs::write(folder.join(format!("{number}.json")), &text).expect("there is room");
        text.len()
    };
    (0..FILES).map(write).sum()
}

#[allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "this is the edge"
)]
fn main() {
    let folder = tempfile::tempdir().expect("there is room");
    let bytes = write(folder.path());
    println!("{FILES} files of {} bytes", bytes / FILES);
    for run in 1..=3 {
        let begun = Instant::now();
        let options = ReadOptions::default();
        let trace = deja_trace::open(folder.path(), &options).expect("it is a trace");
        let analysis = analyze(&[trace], &KeyerChain::new(Vec::new()), &|_| ());
        assert_eq!(analysis.requests, FILES as u64);
        let rate = bytes as f64 / 1e6 / begun.elapsed().as_secs_f64();
        println!("run {run}: {rate:.0} MB/s");
    }
}
