//! `deja watch`: what a running server does, as it does it.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use deja_lab::{
    live::{Live, LiveError},
    watch::{self, Board, Poll},
};
use deja_proxy::Url;
use reqwest::Client;
use serde_json::json;

/// How long a server may take to tell how it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is watched, and how it is shown.
#[derive(Args)]
#[command(after_help = "\
Where standard output is no terminal, a line is printed for each look.")]
pub(crate) struct Arguments {
    /// The server.
    #[arg(default_value = "http://127.0.0.1:8081")]
    url: String,
    /// Time between two looks.
    #[arg(long, default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Looks once, prints what there is, and ends.
    #[arg(long)]
    once: bool,
    /// Prints every look as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// Shows the server until somebody quits.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let shown = runtime.block_on(show(arguments));
    // Not dropped: that would wait for whoever reads the terminal.
    runtime.shutdown_background();
    shown
}

async fn show(arguments: &Arguments) -> anyhow::Result<()> {
    let url = arguments.url.trim_end_matches('/');
    let server: Url = url
        .parse()
        .with_context(|| format!("no server answers at {url}"))?;
    let client = deja_proxy::client_builder(&server)
        .timeout(PATIENCE)
        .build()?;
    if arguments.once {
        let live = Live::read(&client, url).await?;
        let text = if arguments.json {
            serde_json::to_string(&live)? + "\n"
        } else {
            watch::text(&live)
        };
        print(&text)?;
        Ok(())
    } else if arguments.json || !io::stdout().is_terminal() {
        follow(arguments, client, url).await
    } else {
        Ok(watch::show(client, url, arguments.interval).await?)
    }
}

/// Prints a line for each look, for as long as somebody reads them.
async fn follow(arguments: &Arguments, client: Client, url: &str) -> anyhow::Result<()> {
    let mut board = Board::new(url);
    let mut poll = Poll::start(client, url, arguments.interval);
    loop {
        let (look, took) = poll.next().await;
        let line = if arguments.json {
            json_line(&look)?
        } else {
            board.update(look, took);
            watch::line(&board)
        };
        if !print(&(line + "\n"))? {
            return Ok(());
        }
    }
}

fn json_line(look: &Result<Live, LiveError>) -> serde_json::Result<String> {
    match look {
        Ok(live) => serde_json::to_string(live),
        Err(error) => Ok(json!({"error": error.to_string()}).to_string()),
    }
}

/// Prints; says whether anybody reads it.
fn print(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match printed {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        printed => printed.map(|()| true),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        Ok(interval) => Ok(interval),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_longer_than_nothing() {
        assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
        assert!(interval("0s").is_err() && interval("soon").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_in_json_too() {
        let look = Err(LiveError::NotDeja {
            url: "http://127.0.0.1:1".to_owned(),
            path: "/health",
            found: "404 Not Found".to_owned(),
        });
        let line = json_line(&look).expect("it is JSON");
        assert!(line.starts_with("{\"error\":\"the server at"), "{line}");
    }
}
