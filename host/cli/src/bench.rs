//! `deja bench`: measures from outside what a server's cache does.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use deja_lab::bench::{
    self, Address, LoadReport, Pace, Report, Settings, Shape, Steady, System, Target,
};
use deja_proxy::{Api, Url};
use deja_trace::{ReadOptions, Trace};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};

/// What stands for a model where every request of a trace names its own.
const RECORDED_MODEL: &str = "as recorded";

/// What is measured, and how.
#[derive(Args)]
#[command(after_help = "\
Without --rate or --trace, every question is asked for the first time and then again, and the \
verdict says whether the cache works.")]
pub(crate) struct Arguments {
    /// The server: any that speaks one of the two APIs.
    #[arg(default_value = "http://127.0.0.1:8081")]
    url: String,
    /// Another server, measured side by side with the first.
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// The API to ask by.
    #[arg(long, value_enum, default_value_t = ApiName::Openai)]
    api: ApiName,
    /// The model; without it the first that the server names, or what a trace names.
    #[arg(long)]
    model: Option<String>,
    /// The variable with the API key.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "OPENAI_API_KEY",
        default_value_if("api", "anthropic", "ANTHROPIC_API_KEY")
    )]
    api_key_env: String,
    /// A header for every request; can be given several times.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
    #[command(flatten)]
    shapes: Shapes,
    /// Rounds for each shape of request, or different questions under load.
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    samples: usize,
    /// How often each round repeats its first question at once.
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    repeats: usize,
    /// Rounds at the same time, 1 by default; under load, requests that may be under way, 1024 by
    /// default.
    #[arg(long, value_parser = at_least_one)]
    concurrency: Option<usize>,
    /// The longest answer, in tokens.
    #[arg(long, default_value_t = 64)]
    max_tokens: u32,
    /// A field of every request besides, as JSON; `NAME=null` leaves out one that is sent otherwise,
    /// like `temperature`, which is 0. Can be given several times.
    #[arg(long = "field", value_name = "NAME=JSON", value_parser = field)]
    fields: Vec<(String, Value)>,
    /// How long to wait for an answer.
    #[arg(long, default_value = "10min", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Asks so many times a second, whether or not answers come.
    #[arg(long, value_name = "PER_SECOND", value_parser = pace, conflicts_with = "trace")]
    rate: Option<f64>,
    /// For how long.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration, requires = "rate")]
    duration: Duration,
    /// Asks what is in a recorded trace, when it was asked.
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// How many times as fast as the trace was recorded.
    #[arg(long, default_value_t = 1.0, value_parser = pace, requires = "trace")]
    speed: f64,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

/// The shapes of requests: each of these with each.
#[derive(Args)]
struct Shapes {
    /// In which forms answers are wanted.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Form::Document, Form::Stream])]
    form: Vec<Form>,
    /// How many tools are offered.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0",
        default_value_if("full", "true", "0,17")
    )]
    tools: Vec<usize>,
    /// How many messages there are.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1",
        default_value_if("full", "true", "1,10")
    )]
    messages: Vec<usize>,
    /// How long the system prompt is.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "small",
        default_value_if("full", "true", "small,large")
    )]
    system: Vec<SystemName>,
    /// Every shape: with 0 and 17 tools, 1 and 10 messages, a small and a large system prompt.
    #[arg(long)]
    full: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ApiName {
    Openai,
    Anthropic,
}

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Document,
    Stream,
}

#[derive(Clone, Copy, ValueEnum)]
enum SystemName {
    Small,
    Large,
}

/// Measures, and prints the report.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let targets = targets(arguments).await?;
        if let Some(path) = &arguments.trace {
            let report = replay(arguments, &targets, path).await?;
            print(arguments, &report)
        } else if let Some(rate) = arguments.rate {
            print(arguments, &load(arguments, &targets, rate).await)
        } else {
            print(arguments, &measure(arguments, &targets).await)
        }
    })
}

async fn measure(arguments: &Arguments, targets: &[Target]) -> Report {
    let settings = Settings {
        shapes: arguments.shapes.all(),
        samples: arguments.samples,
        repeats: arguments.repeats,
        concurrency: arguments.concurrency.unwrap_or(1),
        fields: arguments.fields(),
    };
    let rounds = settings.shapes.len() * settings.samples;
    let progress = ProgressBar::new(rounds as u64);
    progress.set_style(
        ProgressStyle::with_template("{wide_bar} {pos}/{len} rounds, {eta} left")
            .expect("the template is right"),
    );
    let report = bench::measure(targets, &settings, || progress.inc(1)).await;
    progress.finish_and_clear();
    report
}

async fn load(arguments: &Arguments, targets: &[Target], rate: f64) -> LoadReport {
    let steady = Steady {
        rate,
        duration: arguments.duration,
        questions: arguments.samples,
        shapes: arguments.shapes.all(),
        fields: arguments.fields(),
    };
    bench::load(targets, steady, arguments.in_flight()).await
}

async fn replay(
    arguments: &Arguments,
    targets: &[Target],
    path: &Path,
) -> anyhow::Result<LoadReport> {
    let trace = deja_trace::open(path, &ReadOptions::default())?;
    let Trace::Requests(files) = trace else {
        bail!(
            "{} holds no whole requests that could be sent",
            path.display()
        );
    };
    let pace = Pace {
        speed: arguments.speed,
        model: arguments.model.clone(),
    };
    Ok(bench::replay(targets, files, pace, arguments.in_flight()).await)
}

#[allow(clippy::print_stdout, reason = "this is the edge")]
fn print(
    arguments: &Arguments,
    report: &(impl Serialize + std::fmt::Display),
) -> anyhow::Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

async fn targets(arguments: &Arguments) -> anyhow::Result<Vec<Target>> {
    let mut targets = vec![target(arguments, &arguments.url).await?];
    if let Some(url) = &arguments.compare {
        targets.push(target(arguments, url).await?);
    }
    Ok(targets)
}

async fn target(arguments: &Arguments, url: &str) -> anyhow::Result<Target> {
    let server: Url = url
        .parse()
        .with_context(|| format!("no server answers at {url}"))?;
    let client = deja_proxy::client_builder(&server)
        .timeout(arguments.timeout)
        .build()?;
    let recorded = || arguments.trace.as_ref().map(|_| RECORDED_MODEL.to_owned());
    let address = Address {
        url: url.to_owned(),
        api: arguments.api.into(),
        model: arguments.model.clone().or_else(recorded),
        api_key: std::env::var(&arguments.api_key_env).ok(),
        headers: headers(&arguments.headers)?,
    };
    Ok(Target::find(client, address).await?)
}

fn headers(headers: &[String]) -> anyhow::Result<HeaderMap> {
    let header = |header: &String| -> anyhow::Result<_> {
        let (name, value) = header
            .split_once(':')
            .with_context(|| format!("`{header}` is no header: write NAME: VALUE"))?;
        let name = HeaderName::try_from(name.trim())?;
        Ok((name, HeaderValue::try_from(value.trim())?))
    };
    headers.iter().map(header).collect()
}

impl Arguments {
    /// What every request says besides its question.
    fn fields(&self) -> Map<String, Value> {
        let standard = [
            ("max_tokens", self.max_tokens.into()),
            ("temperature", 0.into()),
        ];
        let standard = standard.map(|(name, value)| (name.to_owned(), value));
        let all = standard.into_iter().chain(self.fields.iter().cloned());
        let mut fields: Map<_, _> = all.collect();
        fields.retain(|_, value| !value.is_null());
        fields
    }

    /// Requests that may be under way under load.
    fn in_flight(&self) -> usize {
        self.concurrency.unwrap_or(1024)
    }
}

impl Shapes {
    fn all(&self) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for &system in &self.system {
            for &messages in &self.messages {
                for &tools in &self.tools {
                    shapes.extend(self.form.iter().map(|&form| Shape {
                        streams: form == Form::Stream,
                        tools,
                        messages,
                        system: system.into(),
                    }));
                }
            }
        }
        shapes
    }
}

impl From<ApiName> for Api {
    fn from(name: ApiName) -> Self {
        match name {
            ApiName::Openai => Self::OpenAi,
            ApiName::Anthropic => Self::Anthropic,
        }
    }
}

impl From<SystemName> for System {
    fn from(name: SystemName) -> Self {
        match name {
            SystemName::Small => Self::Small,
            SystemName::Large => Self::Large,
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be 1 or more".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

fn field(text: &str) -> Result<(String, Value), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("write NAME=JSON")?;
    let value = serde_json::from_str(value).map_err(|error| format!("`{value}`: {error}"))?;
    Ok((name.to_owned(), value))
}

fn pace(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let number = number.filter(|number| (0.001..=1e6).contains(number));
    number.ok_or_else(|| "it must be a number from 0.001 to 1000000".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parsed(line: &[&str]) -> Result<Arguments, clap::Error> {
        let line = ["bench"].iter().chain(line);
        Ok(Bench::try_parse_from(line)?.arguments)
    }

    fn shapes(line: &[&str]) -> usize {
        parsed(line).expect("it is right").shapes.all().len()
    }

    #[test]
    fn every_shape_is_each_with_each() {
        assert_eq!(shapes(&[]), 2);
        assert_eq!(shapes(&["--full"]), 16);
        assert_eq!(shapes(&["--full", "--form", "stream"]), 8);
        assert_eq!(shapes(&["--form", "document", "--tools", "1,2,3"]), 3);
    }

    #[test]
    fn each_api_has_its_own_variable() {
        let variable = |line: &[&str]| parsed(line).expect("it is right").api_key_env;
        assert_eq!(variable(&[]), "OPENAI_API_KEY");
        assert_eq!(variable(&["--api", "anthropic"]), "ANTHROPIC_API_KEY");
        assert_eq!(variable(&["--api-key-env", "MINE"]), "MINE");
    }

    #[test]
    fn fields_can_be_added_and_left_out() {
        let fields = |line: &[&str]| Value::from(parsed(line).expect("it is right").fields());
        assert_eq!(fields(&[]), json!({"max_tokens": 64, "temperature": 0}));
        let line = [
            "--field=temperature=null",
            "--field=max_tokens=null",
            "--field=n=2",
        ];
        assert_eq!(fields(&line), json!({"n": 2}));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            &["--samples", "0"][..],
            &["--rate", "0"],
            &["--rate", "inf"],
            &["--rate", "1e-300"],
            &["--rate", "1", "--trace", "x"],
            &["--speed", "2"],
            &["--duration", "2s"],
            &["--field", "=1"],
            &["--field", "user=ada"],
        ] {
            assert!(parsed(line).is_err(), "{line:?}");
        }
        assert!(headers(&["no header".to_owned()]).is_err());
    }
}
