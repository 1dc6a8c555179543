//! How much memory a process holds.

use std::{fs, process::Command};

use rustix::process::Pid;

/// In MiB.
pub(crate) fn resident(process: Pid) -> f64 {
    let process = process.as_raw_pid();
    let text = match fs::read_to_string(format!("/proc/{process}/status")) {
        Ok(status) => status.split("VmRSS:").nth(1).map(str::to_owned),
        // macOS has no such file, and Debian not always `ps`.
        Err(_) => told_by_ps(process),
    };
    let kibibytes = text
        .as_deref()
        .and_then(|text| text.split_whitespace().next()?.parse().ok());
    let kibibytes: f64 = kibibytes.expect("the process runs");
    kibibytes / 1024.0
}

/// The files that a process has open; nothing where the system does not show them.
pub(crate) fn descriptors(process: Pid) -> Option<usize> {
    let folder = format!("/proc/{}/fd", process.as_raw_pid());
    Some(fs::read_dir(folder).ok()?.count())
}

fn told_by_ps(process: i32) -> Option<String> {
    let mut ps = Command::new("ps");
    let output = ps
        .args(["-o", "rss=", "-p"])
        .arg(process.to_string())
        .output();
    String::from_utf8(output.ok()?.stdout).ok()
}
