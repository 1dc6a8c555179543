//! `deja replay`: what other policies would have done with recorded traffic.

use std::{io::IsTerminal as _, path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use bytesize::ByteSize;
use clap::Args;
use deja_cache::{Capacity, Floor};
use deja_lab::replay::{Plan, Progress, Warmup, replay, table, write_results};
use deja_policy::{Limits, PluginChoice, PluginLibrary};
use deja_trace::{Columns, ReadOptions};
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::{config::LogFormat, log};

/// What is to be tried.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The trace: a file or a folder of any format that `deja trace analyze` reads.
    trace: PathBuf,
    /// Keyers to compare: names, or paths of `.wasm` files, each with settings if need be, like
    /// `NAME={"x": 1}`; `a+b` is a chain of two. `exact` if not given.
    #[arg(long, value_name = "NAME,…")]
    keyer: Vec<Choices>,
    /// Lifts the floor for all of these keyers, as `floor = "open"` does in the configuration.
    #[arg(long)]
    open_floor: bool,
    /// Eviction policies to compare, in the same way; `host` is the host's own order. The bounds
    /// `belady` and `infinite` are always beside them.
    #[arg(long, value_name = "NAME,…", default_value = "lru,sieve,s3-fifo,gdsf")]
    eviction: Vec<Choices>,
    /// Numbers of entries that the cache may hold; some that suit the trace if neither these nor
    /// bytes are given.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    entries: Vec<u64>,
    /// Numbers of bytes that it may hold, like `64MiB,1GiB`.
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',')]
    bytes: Vec<ByteSize>,
    /// How long an answer stays good; for ever if not given.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    ttl: Option<Duration>,
    /// What is not counted: a number of requests, or a share like `10%`.
    #[arg(long, default_value = "0", value_parser = warmup)]
    warmup: Warmup,
    /// What chance begins with: it draws the examples.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Runs at a time; as many as there are processors if not given.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// The columns of comma-separated values, by name or number, like
    /// `key=id,time=ts,bytes=size,cost_ms=ms`.
    #[arg(long)]
    columns: Option<Columns>,
    /// The folder in which `.wasm` files are looked for by name.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Writes the results, charts and a report into this folder, and keeps finished runs there: a
    /// replay that was broken off goes on where it stood.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Prints the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Plugins, each alone or in a chain, as one argument names them.
#[derive(Clone, Debug)]
struct Choices(Vec<Vec<PluginChoice>>);

impl FromStr for Choices {
    type Err = anyhow::Error;

    fn from_str(argument: &str) -> anyhow::Result<Self> {
        let chain = |text: &str| outside_braces(text, '+').into_iter().map(choice).collect();
        let chains = outside_braces(argument, ',').into_iter().map(chain);
        Ok(Self(chains.collect::<anyhow::Result<_>>()?))
    }
}

fn choice(text: &str) -> anyhow::Result<PluginChoice> {
    let mut choice = PluginChoice::new(text);
    if let Some((name, config)) = text.split_once('=') {
        name.clone_into(&mut choice.name);
        choice.config = serde_json::from_str(config)
            .with_context(|| format!("`{config}` are no settings: write a JSON object"))?;
    }
    anyhow::ensure!(!choice.name.is_empty(), "a plugin's name is missing");
    Ok(choice)
}

/// The parts of a text between separators that stand outside of `{}`.
fn outside_braces(text: &str, separator: char) -> Vec<&str> {
    let mut depth = 0_usize;
    let split = |character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && character == separator
    };
    text.split(split).map(str::trim).collect()
}

fn warmup(text: &str) -> anyhow::Result<Warmup> {
    let Some(percent) = text.strip_suffix('%') else {
        return Ok(Warmup::Requests(text.parse()?));
    };
    let percent: f64 = percent.trim().parse()?;
    anyhow::ensure!(
        (0.0..100.0).contains(&percent),
        "a share is from 0% to 100%"
    );
    Ok(Warmup::Share(percent / 100.0))
}

/// Runs it, and prints the results. What plugins log meanwhile is on standard error.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    log::start_unbuffered(LogFormat::Human);
    let plan = plan(arguments)?;
    let library = PluginLibrary::new(Limits::default(), arguments.plugins.clone(), None)?;
    let bar = progress_bar();
    let results = replay(&plan, &library, &|Progress { finished, all }| {
        bar.set_length(all as u64);
        bar.set_position(finished as u64);
    })?;
    bar.finish_and_clear();
    if let Some(folder) = &arguments.out {
        write_results(folder, &results)
            .with_context(|| format!("cannot write into {}", folder.display()))?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", table(&results));
    }
    Ok(())
}

fn plan(arguments: &Arguments) -> anyhow::Result<Plan> {
    let chains = |choices: &[Choices]| {
        choices
            .iter()
            .flat_map(|choices| choices.0.clone())
            .collect()
    };
    let mut keyers: Vec<Vec<PluginChoice>> = chains(&arguments.keyer);
    if arguments.open_floor {
        for keyer in keyers.iter_mut().flatten() {
            keyer.floor = Floor::Open;
        }
    }
    let evictions: Vec<Vec<PluginChoice>> = chains(&arguments.eviction);
    anyhow::ensure!(
        evictions.iter().all(|chain| chain.len() == 1),
        "eviction policies cannot be chained"
    );
    Ok(Plan {
        trace: arguments.trace.clone(),
        read: ReadOptions {
            columns: arguments.columns.clone(),
            ..ReadOptions::default()
        },
        keyers,
        evictions: evictions.into_iter().flatten().collect(),
        capacities: capacities(&arguments.entries, &arguments.bytes),
        ttl: arguments.ttl,
        warmup: arguments.warmup,
        seed: arguments.seed,
        jobs: arguments.jobs,
        out: arguments.out.clone(),
    })
}

/// Every combination; what is not limited has no end.
fn capacities(entries: &[u64], bytes: &[ByteSize]) -> Vec<Capacity> {
    if entries.is_empty() && bytes.is_empty() {
        return Vec::new();
    }
    let bytes: Vec<_> = bytes.iter().map(ByteSize::as_u64).collect();
    let or_endless = |limits: &[u64]| match limits {
        [] => vec![u64::MAX],
        limits => limits.to_vec(),
    };
    let (entries, bytes) = (or_endless(entries), or_endless(&bytes));
    let with = |bytes: u64| {
        let capacity = move |&entries| Capacity { entries, bytes };
        entries.iter().map(capacity)
    };
    bytes.into_iter().flat_map(with).collect()
}

/// A bar on standard error, where somebody looks.
fn progress_bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(None, target)
}
