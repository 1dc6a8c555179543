//! The command line of the soak.

use std::{fmt, str::FromStr, time::Duration};

use clap::Parser;

/// Asks a server all kinds of things for a long time, and knows the right answers.
#[derive(Parser)]
#[command(bin_name = "cargo xtask soak")]
pub(crate) struct Options {
    /// How long to go on, such as 90s, 10min or 1h
    #[arg(long, default_value = "1h")]
    pub(crate) time: Time,

    /// How many requests to send in a second
    #[arg(long, default_value_t = 50.0)]
    pub(crate) rate: f64,

    /// What the requests are drawn from; by default another one each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// By how many MiB an hour the server's memory may grow
    #[arg(long, default_value_t = 16.0)]
    pub(crate) memory: f64,

    /// By how many an hour the server's open files may grow
    #[arg(long, default_value_t = 8.0)]
    pub(crate) files: f64,
}

/// A time that people can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}
