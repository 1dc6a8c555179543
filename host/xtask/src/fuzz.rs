//! Runs the fuzz targets of `tests/fuzz`.

use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum;

use crate::report::Remedy;
use crate::wasm::Choice;
use crate::{paths, plugins, python, setup, shell};

/// The toolchain that knows the compiler's options for fuzzing.
const TOOLCHAIN: &str = "nightly";

/// Seconds after which an input counts as one that does not end.
const PATIENCE: u32 = 20;

/// What is fuzzed.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Target {
    /// HTTP bodies to keys: equal requests share one, and no others do
    Keys,
    /// Streams of chat completions through reading, folding, replay and translation
    SseOpenai,
    /// Streams of messages through the same
    SseAnthropic,
    /// A keyer's edits of a body, beside naive ones
    Edits,
    /// The text of the configuration
    Config,
    /// Every reader of traces
    TraceReaders,
    /// GGUF files, all but their weights
    Gguf,
    /// The headers of safetensors files
    Safetensors,
    /// Messages between the engine and its worker
    WorkerProtocol,
    /// Chat templates, which have to end
    ChatTemplate,
}

/// Sets up, and runs the targets, all when none is named, until one breaks; `arguments` go to each.
pub(crate) fn run(
    choice: Choice,
    targets: &[Target],
    time: Duration,
    arguments: &[OsString],
) -> Result<()> {
    let all = Target::value_variants();
    let targets = if targets.is_empty() { all } else { targets };
    check_toolchain()?;
    python::tool("cargo-fuzz")?;
    setup::run(choice, false)?;
    plugins::build(choice)?;
    for target in targets {
        let name = target.name();
        println!("\n=== {name}");
        let mut fuzzer = fuzzer(&name, time)?;
        shell::pass_through(fuzzer.args(arguments)).context(Remedy::new(
            "mend what broke; the lines above name the input, and the command that runs it again",
        ))?;
    }
    Ok(())
}

impl Target {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// The command that builds a target and runs it for so long.
fn fuzzer(name: &str, time: Duration) -> Result<Command> {
    let home = paths::fuzz();
    let kept = home.join("target/corpus").join(name);
    fs::create_dir_all(&kept).with_context(|| format!("{} cannot be made", kept.display()))?;
    let mut command = Command::new("rustup");
    command.env("PATH", python::path());
    command.args(["run", TOOLCHAIN, "cargo", "fuzz", "run", "--fuzz-dir"]);
    command.arg(&home);
    command.args(["--release", "--debug-assertions", name]);
    command.args([kept, home.join("corpus").join(name)]);
    command.arg("--");
    command.arg(format!("-dict={}", home.join("words.dict").display()));
    command.arg(format!("-max_total_time={}", time.as_secs()));
    command.arg(format!("-timeout={PATIENCE}"));
    Ok(command)
}

/// Fails where rustup has no nightly toolchain.
fn check_toolchain() -> Result<()> {
    let toolchains = shell::output(Command::new("rustup").args(["toolchain", "list"]))?;
    if toolchains.lines().any(|line| line.starts_with(TOOLCHAIN)) {
        return Ok(());
    }
    Err(anyhow!("the toolchain {TOOLCHAIN} is missing")).context(Remedy(format!(
        "run `rustup toolchain install {TOOLCHAIN}` and then this command again"
    )))
}
