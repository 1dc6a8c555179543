//! `deja trace`: what recorded traffic says about caching.

use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use deja_cache::KeyerChain;
use deja_lab::analyze::{self, analyze, report};
use deja_policy::{PluginChoice, PluginHost};
use deja_trace::{Columns, Format, ReadOptions, Trace};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    config::{Config, ConfigFile, LogFormat},
    log,
};

/// Looks at recorded traffic.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tells how much repeats, how much nearly does, and what a cache would save.
    Analyze(Arguments),
}

/// The traffic to look at.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Files or folders; without any, where the configuration records, else anyclaude's traces in
    /// `~/.anyclaude/traces`.
    paths: Vec<PathBuf>,
    /// Makes the keys as this keyer would, by its name or its file; can be given several times.
    /// Without it, of all that is in a request.
    #[arg(long = "keyer", value_name = "NAME|FILE")]
    keyers: Vec<String>,
    /// What is in the files, where it is not to be guessed.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// The columns of comma-separated values, by name or number, like
    /// `key=id,time=ts,bytes=size,cost_ms=ms`.
    #[arg(long)]
    columns: Option<Columns>,
    /// Prints the analysis as JSON.
    #[arg(long)]
    json: bool,
    /// The configuration; without it `deja.toml` if there is one, else the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What is in a file.
#[derive(Clone, Copy, ValueEnum)]
enum FileFormat {
    /// Deja's own trace.
    Deja,
    /// One request, or an exchange with one, as JSON.
    Json,
    /// The same, one a line.
    Jsonl,
    /// Hashes of the blocks of prompts, one request a line.
    Blocks,
    /// One key a line.
    Keys,
    /// Runs of blocks, as in the ARC paper.
    Arc,
    /// libCacheSim's binary format.
    OracleGeneral,
    /// Comma-separated values.
    Csv,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Deja => Self::Segment,
            FileFormat::Json => Self::Json,
            FileFormat::Jsonl => Self::JsonLines,
            FileFormat::Blocks => Self::Blocks,
            FileFormat::Keys => Self::Keys,
            FileFormat::Arc => Self::Arc,
            FileFormat::OracleGeneral => Self::OracleGeneral,
            FileFormat::Csv => Self::Csv,
        }
    }
}

/// Does it. What the plugins log meanwhile is on standard error.
pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    log::start_unbuffered(LogFormat::Human);
    let Command::Analyze(arguments) = command;
    run_analysis(arguments)
}

#[allow(clippy::print_stdout, reason = "this is the edge")]
fn run_analysis(arguments: &Arguments) -> anyhow::Result<()> {
    let config = config(arguments.config.as_deref())?;
    let traces = traces(arguments, &config)?;
    let keyers = keyers(&arguments.keyers, &config)?;
    let bar = progress_bar(analyze::bytes(&traces));
    let analysis = analyze(&traces, &keyers, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    if analysis.requests == 0 && analysis.skipped > 0 {
        let (count, first) = (analysis.skipped, analysis.skipped_first.join("\n  "));
        bail!("0 requests; {count} parts were passed over, first:\n  {first}");
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&analysis)?);
    } else {
        print!("{}", report(&analysis));
    }
    Ok(())
}

fn config(path: Option<&Path>) -> anyhow::Result<Config> {
    let default = Path::new("deja.toml");
    let path = path.or_else(|| Some(default).filter(|path| path.exists()));
    let Some(path) = path else {
        return Ok(Config::standard());
    };
    let file = ConfigFile::read(std::path::absolute(path)?)?;
    Ok(Config::from_text(&file.text, &file.path)?)
}

fn traces(arguments: &Arguments, config: &Config) -> anyhow::Result<Vec<Trace>> {
    let paths = match &arguments.paths[..] {
        [] => standard_paths(config)?,
        paths => paths.to_owned(),
    };
    let options = ReadOptions {
        format: arguments.format.map(Format::from),
        columns: arguments.columns.clone(),
        ..ReadOptions::default()
    };
    let open = |path: &PathBuf| Ok(deja_trace::open(path, &options)?);
    paths.iter().map(open).collect()
}

/// Where the configuration records, else the folders in which anyclaude does.
fn standard_paths(config: &Config) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(trace) = &config.trace {
        return Ok(vec![trace.dir.clone()]);
    }
    let home = dirs::home_dir().context("there is no home folder; name a path")?;
    let folder = home.join(".anyclaude/traces");
    let folders = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = folders.map(|folder| folder.path()).collect();
    folders.retain(|folder| folder.is_dir() && holds_files(folder));
    folders.sort();
    if folders.is_empty() {
        bail!(
            "nothing is recorded: there is no [trace] in the configuration, and nothing in {}; \
             name a path",
            folder.display()
        );
    }
    Ok(folders)
}

fn holds_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some())
}

/// The keyers, each from the file that is named, or found as a server finds it.
fn keyers(names: &[String], config: &Config) -> anyhow::Result<KeyerChain> {
    let mut keyers = Vec::new();
    for name in names {
        let path = Path::new(name);
        let is_file = path
            .extension()
            .is_some_and(|extension| extension == "wasm");
        let mut settings = config.plugins.clone();
        let mut choice = PluginChoice::new(name);
        if is_file {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            choice.name = stem.into_owned();
            settings.dir = Some(path.parent().unwrap_or(Path::new("")).to_owned());
        }
        // One that is configured is asked as it is configured.
        let configured = settings
            .keyers
            .iter()
            .find(|other| other.name == choice.name);
        settings.keyers = vec![configured.cloned().unwrap_or(choice)];
        keyers.extend(PluginHost::new(settings)?.load()?.keyers);
    }
    Ok(KeyerChain::new(keyers))
}

/// A bar on standard error, where somebody looks.
fn progress_bar(bytes: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}");
    ProgressBar::with_draw_target(Some(bytes), target)
        .with_style(style.expect("the template is right"))
}
