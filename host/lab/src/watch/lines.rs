//! A server's state as text, for pipes and scripts.

use std::fmt::Write as _;

use super::Board;
use crate::{
    live::{Backend, Live, Outcomes, Percentiles, Plugin},
    units::{bytes, count, long_time, percent, time_or_dash},
};

/// The state in one line.
#[must_use]
pub fn line(board: &Board) -> String {
    match (board.trouble(), board.live()) {
        (Some(trouble), _) => format!("trying again: {trouble}"),
        (None, None) => "nothing is known yet".to_owned(),
        (None, Some(live)) => format!(
            "hit rate {} now, {} since the start; {:.1} requests/s, {} in flight; {} answers, {}",
            rate(board.hit_rate_now()),
            rate(live.requests.hit_rate()),
            board.requests_per_second(Outcomes::total),
            live.in_flight,
            count(live.entries),
            bytes(live.bytes),
        ),
    }
}

/// The state since the server's start, in full.
#[must_use]
pub fn text(live: &Live) -> String {
    let requests = live.requests;
    let mut text = format!("deja {}: {}\n", live.version, live.status);
    let mut add = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10}  {value}");
    };
    add("hit rate", rate(requests.hit_rate()));
    add("requests", outcomes(requests));
    add("in flight", live.in_flight.to_string());
    add("cache", held(live));
    if let Some(saved) = saved(live) {
        add("saved", saved);
    }
    if let Some(latency) = live.latency_ms {
        add("hits", percentiles(latency.hit));
        add("misses", percentiles(latency.miss));
    }
    for of_backend in &live.backends {
        add("backend", backend(of_backend));
    }
    for of_plugin in &live.plugins {
        add(&of_plugin.kind, plugin(of_plugin));
    }
    text
}

pub(super) fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), percent)
}

fn outcomes(requests: Outcomes) -> String {
    let outcomes = requests.named();
    let outcomes = outcomes.map(|(name, number)| format!("{} {name}", count(number)));
    outcomes.join(", ")
}

pub(super) fn held(live: &Live) -> String {
    let (entries, evictions) = (count(live.entries), count(live.evictions));
    format!(
        "{entries} answers, {}; {evictions} had to leave",
        bytes(live.bytes)
    )
}

fn saved(live: &Live) -> Option<String> {
    let saved = live.saved?;
    let seconds = long_time(saved.seconds);
    let (prompt, output) = (count(saved.prompt_tokens), count(saved.output_tokens));
    Some(format!(
        "{seconds}; {prompt} prompt tokens, {output} output tokens"
    ))
}

fn percentiles(times: Percentiles) -> String {
    let [p50, p95, p99] = [times.p50, times.p95, times.p99].map(time_or_dash);
    format!("p50 {p50}, p95 {p95}, p99 {p99}")
}

pub(super) fn backend(backend: &Backend) -> String {
    let mut text = format!("{} ({})", backend.name, backend.kind);
    if let Some(worker) = &backend.worker {
        let _ = write!(text, ", worker {}", worker.status);
        if let Some(reason) = &worker.reason {
            let _ = write!(text, ": {reason}");
        }
        if worker.restarts > 0 {
            let _ = write!(text, ", started again {} times", worker.restarts);
        }
    }
    text
}

fn plugin(plugin: &Plugin) -> String {
    let calls = count(plugin.calls);
    let mut text = format!(
        "{}, {calls} calls, {} failures",
        plugin.name, plugin.failures
    );
    if let Some(trouble) = trouble(plugin) {
        let _ = write!(text, "; {trouble}");
    }
    text
}

/// What is wrong with a plugin, the worst first.
pub(super) fn trouble(plugin: &Plugin) -> Option<String> {
    let last_error = plugin.last_error.as_deref();
    match (plugin.breaker.as_str(), &plugin.rejected) {
        ("open", _) => Some(format!("left alone: {}", last_error.unwrap_or("it failed"))),
        ("probing", _) => Some(format!(
            "tried again: {}",
            last_error.unwrap_or("it failed")
        )),
        (_, Some(rejected)) => Some(format!("a newer file was refused: {rejected}")),
        _ => last_error.map(|error| format!("last failure: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watch::testing::{busy, live, unreachable};

    #[test]
    fn the_whole_state_is_told() {
        insta::assert_snapshot!(text(&busy()));
    }

    #[test]
    fn a_line_tells_the_most_important() {
        let mut board = Board::new("");
        assert_eq!(line(&board), "nothing is known yet");
        for (hit, miss) in [(1, 1), (4, 2)] {
            board.update(Ok(live(hit, miss)), Duration::from_secs(2));
        }
        assert_eq!(
            line(&board),
            "hit rate 75.0% now, 66.7% since the start; 2.0 requests/s, 0 in flight; 0 answers, 0 B"
        );
        board.update(Err(unreachable()), Duration::from_secs(2));
        assert!(
            line(&board).starts_with("trying again: "),
            "{}",
            line(&board)
        );
    }
}
