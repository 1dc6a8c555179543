//! The soak: mixed traffic against the real server, with all that can happen to it, and an oracle
//! that knows the right answer of each request.
//!
//! `cargo xtask soak --time 1h` runs it.
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool speaks to the person who runs it"
)]

mod chaos;
mod draw;
mod fault;
mod model;
mod options;
mod oracle;
mod plugins;
mod question;
mod reply;
mod report;
mod said;
mod samples;
mod settings;
mod slope;
mod tally;
mod traffic;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser as _;
use deja_tests::{Api, Deja, Setup};
use tokio::{
    signal::ctrl_c,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    chaos::Chaos,
    options::Options,
    oracle::Oracle,
    report::Ending,
    samples::Samples,
    settings::{Change, Upstreams},
    tally::Tally,
    traffic::Traffic,
};

/// How much of the server's log is kept, in bytes.
const LOG: usize = 1 << 20;

/// How long a server may take to see that nothing runs any more: a silent upstream is waited for.
const SETTLING: u32 = 60;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(rand::random);
    println!(
        "seed {seed}, {} requests/s for {}",
        options.rate, options.time
    );
    let upstreams = Arc::new(Upstreams {
        openai: model::upstream(Api::OpenAi).await,
        anthropic: model::upstream(Api::Anthropic).await,
    });
    let setup = Setup::new(&upstreams.settings(Change::default()));
    let setup = setup
        .env("DEJA_LOG", "info")
        .log_at_most(LOG)
        .in_own_group();
    let deja = Arc::new(setup.start().await);
    println!("{} is process {}", deja.url(), deja.process().as_raw_pid());
    let soak = Soak {
        samples: Samples::new(),
        tally: Arc::default(),
        oracle: Arc::default(),
        upstreams,
        deja,
    };
    let panics = soak.run(seed, &options).await;
    let ending = Ending {
        left_over: soak.left_over().await,
        panics,
        ambiguous: soak.oracle.ambiguous(),
    };
    if report::print(&options, &soak.tally, &soak.samples, &ending) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A server under traffic, and what is known of it.
struct Soak {
    deja: Arc<Deja>,
    upstreams: Arc<Upstreams>,
    oracle: Arc<Oracle>,
    tally: Arc<Tally>,
    samples: Samples,
}

impl Soak {
    /// Goes on for the whole time or until Ctrl-C; returns how many panics the log tells of.
    async fn run(&self, seed: u64, options: &Options) -> usize {
        let traffic = Traffic::new(self.deja.url(), self.oracle.clone(), self.tally.clone());
        let traffic = Arc::new(traffic);
        let chaos = Chaos {
            deja: self.deja.clone(),
            upstreams: self.upstreams.clone(),
            oracle: self.oracle.clone(),
            tally: self.tally.clone(),
        };
        let end = async {
            tokio::select! {
                () = sleep(options.time.0) => {}
                _ = ctrl_c() => println!("stopping: waiting for the answers under way"),
            }
        };
        let mut panics = 0;
        tokio::select! {
            () = traffic.run(seed, options.rate, end) => {}
            () = chaos.run(seed.wrapping_add(1)) => {}
            () = self.watch(&mut panics) => {}
        }
        panics
    }

    /// Takes a sample each second, and prints a line each minute.
    async fn watch(&self, panics: &mut usize) {
        let started = Instant::now();
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for second in 1_u64.. {
            seconds.tick().await;
            let (memory, files) = self.samples.take(&self.deja);
            if second % 10 == 0 {
                *panics = (*panics).max(self.panics());
            }
            if second % 60 == 0 {
                let minutes = started.elapsed().as_secs_f64() / 60.0;
                let files = files.map_or_else(|| "?".to_owned(), |files| files.to_string());
                println!(
                    "{minutes:.0} min, {memory:.0} MiB, {files} files, {}",
                    self.tally.line()
                );
            }
        }
    }

    /// How many panics stand in the part of the log that is kept.
    fn panics(&self) -> usize {
        let log = self.deja.log();
        let panics = log.lines().filter(|line| line.contains("panicked at"));
        panics.inspect(|line| println!("{line}")).count()
    }

    /// How many requests the server takes for running when there are none.
    async fn left_over(&self) -> u64 {
        let mut running = 0;
        for _ in 0..SETTLING {
            let health = self.deja.health().await;
            running = health["in_flight"].as_u64().unwrap_or(0);
            if running == 0 {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        running
    }
}
