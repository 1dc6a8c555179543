//! Any configuration is taken, or refused with the lines of its mistakes.

#![no_main]

// The configuration belongs to a program, which no crate can import.
#[allow(dead_code, reason = "the target uses a part of it")]
#[path = "../../../host/cli/src/config/mod.rs"]
mod config;
#[allow(dead_code, reason = "the configuration uses a part of it")]
#[path = "../../../host/cli/src/hub.rs"]
#[rustfmt::skip]
mod hub;

use std::path::Path;

use config::{Config, ConfigError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = mistakes(text);
    let lines = text.split('\n').count();
    for (line, problem) in &found {
        assert!(
            (1..=lines).contains(line),
            "line {line} of {lines}: {problem}"
        );
        assert!(!problem.is_empty());
    }
    assert_eq!(mistakes(text), found);
});

/// The line and the description of each mistake.
fn mistakes(text: &str) -> Vec<(usize, String)> {
    match Config::from_text(text, Path::new("deja.toml")) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Mistakes { mistakes, .. }) => mistakes
            .into_iter()
            .map(|mistake| (mistake.line, mistake.problem))
            .collect(),
        Err(error) => panic!("{error}"),
    }
}
