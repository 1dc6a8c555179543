//! Reports for people.

use std::fmt::{self, Write as _};

use super::{
    report::{Asked, LoadReport, Report, ServerLoad, ServerReport, ShapeReport, Statistics},
    series::{Spread, Summary},
    table::{bar, table},
};
use crate::units::{self, percent, time, time_or_dash};

/// Cells of the longest bar of a histogram.
const BAR: u32 = 30;

/// The width of a histogram's column: its bar and a number.
const COLUMN: usize = 38;

const HEADINGS: [&str; 10] = [
    "", "count", "errors", "min", "avg", "p50", "p95", "p99", "max", "tokens/s",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for server in &self.servers {
            write!(f, "{server}")?;
        }
        if self.servers.len() > 1 {
            f.write_str(&side_by_side(&self.servers))?;
        }
        Ok(())
    }
}

impl fmt::Display for ServerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.server)?;
        for shape in &self.shapes {
            write!(f, "\n{shape}")?;
        }
        writeln!(f)?;
        if let Some(statistics) = &self.statistics {
            writeln!(f, "{statistics}")?;
        }
        let speed_up = self.verdict.speed_up.map(times);
        let speed_up = speed_up.map(|times| format!(": repeats are {times} as fast"));
        let state = self.verdict.state;
        writeln!(f, "Verdict: {state}{}.", speed_up.unwrap_or_default())?;
        for cause in &self.verdict.causes {
            writeln!(f, "  - {cause}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for ShapeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.shape)?;
        let summaries = self.phases.iter();
        let summaries = summaries.map(|phase| (phase.phase.name(), &phase.summary));
        f.write_str(&times_table(summaries.collect(), self.shape.streams))?;
        f.write_str(&histogram(&[
            ("first time", &self.cold),
            ("again", &self.warm),
        ]))?;
        let speed_ups = [
            ("speed-up", self.speed_up),
            (
                "first token",
                self.first_token_speed_up.filter(|_| self.shape.streams),
            ),
        ];
        let told: Vec<_> = speed_ups
            .into_iter()
            .filter_map(|(name, speed_up)| Some(format!("{name} {}", times(speed_up?))))
            .collect();
        writeln!(f, "  {}", told.join(", "))
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for server in &self.servers {
            writeln!(f, "{server}")?;
        }
        if self.skipped > 0 {
            writeln!(f, "{} records of the trace are of no use.", self.skipped)?;
        }
        f.write_str("Latencies count from the moment at which a request was due.\n")
    }
}

impl fmt::Display for ServerLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = units::long_time(self.seconds);
        writeln!(f, "{}", self.server)?;
        writeln!(f, "{:.1} answers/s for {took}\n", self.rate)?;
        let mut summaries = vec![("all", &self.all)];
        summaries.extend(self.by_cache.iter().map(|(name, summary)| (*name, summary)));
        f.write_str(&times_table(summaries, true))?;
        f.write_str(&histogram(&[("all", &self.all)]))?;
        match &self.statistics {
            Some(statistics) => writeln!(f, "{statistics}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, model {})", self.url, self.api, self.model)
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = &self.requests;
        write!(
            f,
            "The server counted {} hits, {} misses, {} coalesced, {} bypasses, {} errors (hit rate {}). \
             It holds {} answers, {}; {} had to leave.",
            requests.hit,
            requests.miss,
            requests.coalesced,
            requests.bypass,
            requests.error,
            percent(requests.hit_rate().unwrap_or_default()),
            units::count(self.entries),
            units::bytes(self.bytes),
            units::count(self.evictions),
        )
    }
}

/// A line of latencies for each, and below it one of times to the first token if they tell more.
fn times_table(summaries: Vec<(&str, &Summary)>, with_first_token: bool) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    for (name, summary) in summaries
        .into_iter()
        .filter(|(_, summary)| summary.count > 0)
    {
        let errors = summary.errors.values().sum::<u64>();
        let mut row = vec![
            name.to_owned(),
            summary.count.to_string(),
            errors.to_string(),
        ];
        row.extend(spread(summary.latency_ms));
        let speed = summary.tokens_per_second.map(|speed| format!("{speed:.0}"));
        row.push(speed.unwrap_or_else(|| "–".to_owned()));
        rows.push(row);
        if with_first_token {
            let label = ["  first token", "", ""].map(str::to_owned);
            rows.push(
                label
                    .into_iter()
                    .chain(spread(summary.first_token_ms))
                    .collect(),
            );
        }
    }
    table(&rows)
}

fn spread(spread: Option<Spread>) -> [String; 6] {
    let Some(spread) = spread else {
        return std::array::from_fn(|_| "–".to_owned());
    };
    let Spread {
        min,
        avg,
        p50,
        p95,
        p99,
        max,
    } = spread;
    [min, avg, p50, p95, p99, max].map(time)
}

/// How many answers took how long, in a column for each.
fn histogram(columns: &[(&str, &Summary)]) -> String {
    let mut bounds: Vec<f64> = columns
        .iter()
        .flat_map(|(_, summary)| summary.histogram.iter().map(|bucket| bucket.up_to_ms))
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    if bounds.is_empty() {
        return String::new();
    }
    let mut text = format!("\n  {:>9}", "up to");
    for (name, _) in columns {
        let _ = write!(text, "  {name:<COLUMN$}");
    }
    text = text.trim_end().to_owned() + "\n";
    for bound in bounds {
        let mut line = format!("  {:>9}", time(bound));
        for (_, summary) in columns {
            let _ = write!(line, "  {:<COLUMN$}", bucket(summary, bound));
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

fn bucket(summary: &Summary, bound: f64) -> String {
    let most = summary.histogram.iter().map(|bucket| bucket.count).max();
    let bucket = summary
        .histogram
        .iter()
        .find(|bucket| bucket.up_to_ms.total_cmp(&bound).is_eq());
    match bucket.map_or(0, |bucket| bucket.count) {
        0 => String::new(),
        count => format!("{} {count}", bar(count, most.unwrap_or(count), BAR)),
    }
}

/// The medians of all servers, and how many times as long each takes as the first.
fn side_by_side(servers: &[ServerReport]) -> String {
    let mut text =
        "Side by side (median latency, and how many times the first server's)\n".to_owned();
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(servers.iter().map(|server| server.server.url.clone()));
    for (at, shape) in servers[0].shapes.iter().enumerate() {
        rows.push(vec![shape.shape.to_string()]);
        for (phase_at, phase) in shape.phases.iter().enumerate() {
            let median = |server: &ServerReport| {
                let summary = &server.shapes[at].phases[phase_at].summary;
                summary.latency_ms.map(|spread| spread.p50)
            };
            let first = median(&servers[0]);
            let mut row = vec![format!("  {}", phase.phase.name()), time_or_dash(first)];
            row.extend(servers[1..].iter().map(|server| {
                let median = median(server);
                let ratio = median.zip(first).map(|(other, first)| other / first);
                let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({})", times(ratio)));
                time_or_dash(median) + &ratio
            }));
            rows.push(row);
        }
    }
    text += &table(&rows);
    text
}

fn times(factor: f64) -> String {
    match factor {
        ..9.95 => format!("{factor:.1} ×"),
        _ => format!("{factor:.0} ×"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        bench::{
            Settings, Shape, System,
            load::Loaded,
            rounds::Measured,
            testing::{answered, measured, series},
        },
        live::{Live, Outcomes},
    };

    fn asked(port: u16) -> Asked {
        Asked {
            url: format!("http://127.0.0.1:{port}"),
            api: "openai",
            model: "default".to_owned(),
        }
    }

    fn shape(streams: bool) -> Shape {
        Shape {
            streams,
            tools: 17,
            messages: 1,
            system: System::Large,
        }
    }

    fn live(hit: u64, miss: u64) -> Live {
        Live {
            requests: Outcomes {
                hit,
                miss,
                ..Outcomes::default()
            },
            entries: miss,
            bytes: 4096,
            ..Live::default()
        }
    }

    fn server(port: u16, of_shapes: &[Measured]) -> ServerReport {
        let (before, after) = (Some(live(5, 5)), Some(live(9, 9)));
        let shapes = [shape(false), shape(true)];
        ServerReport::of(asked(port), &shapes, of_shapes, (&before, &after))
    }

    fn report(servers: Vec<ServerReport>) -> Report {
        let settings = Settings {
            shapes: vec![shape(false), shape(true)],
            samples: 1,
            repeats: 1,
            concurrency: 1,
            fields: serde_json::Map::new(),
        };
        Report { settings, servers }
    }

    #[test]
    fn a_working_cache_is_told() {
        let fast = measured(&answered(1800, "stored"), &answered(2, "hit"));
        let report = report(vec![server(8081, &[fast.clone(), fast])]);
        insta::assert_snapshot!(report);
    }

    #[test]
    fn a_missing_cache_is_told_beside_one_that_works() {
        let fast = measured(&answered(1800, "stored"), &answered(2, "hit"));
        let slow = measured(&answered(1700, "unknown"), &answered(1500, "unknown"));
        let servers = vec![
            server(8081, &[fast.clone(), fast]),
            server(9000, &[slow.clone(), slow]),
        ];
        insta::assert_snapshot!(report(servers));
    }

    #[test]
    fn a_load_is_told() {
        let mut loaded = Loaded {
            took: Duration::from_secs(10),
            ..Loaded::default()
        };
        loaded
            .outcomes
            .insert("hit", series(&[1, 1, 2, 2, 2, 3, 40], "hit"));
        loaded
            .outcomes
            .insert("stored", series(&[700, 900], "stored"));
        let watched = (Some(live(0, 0)), Some(live(7, 2)));
        let report = LoadReport {
            servers: vec![ServerLoad::of(asked(8081), &loaded, &watched)],
            skipped: 3,
        };
        insta::assert_snapshot!(report);
    }
}
