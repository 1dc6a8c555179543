//! `deja plugin list`: what a running server has loaded.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

/// The server to ask.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    url: String,
}

/// Prints a line for each plugin, and what is wrong with it.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let health = runtime.block_on(health(&arguments.url))?;
    let plugins = health["plugins"].as_array();
    print!("{}", table(plugins.context("the answer is not Deja's")?));
    Ok(())
}

async fn health(url: &str) -> anyhow::Result<Value> {
    let health = format!("{}/health", url.trim_end_matches('/'));
    let health: deja_proxy::Url = health
        .parse()
        .with_context(|| format!("no server answers at {url}"))?;
    let client = deja_proxy::client_builder(&health).build()?;
    let reply = client
        .get(health)
        .send()
        .await
        .with_context(|| format!("no server answers at {url}"))?;
    reply.json().await.context("the answer is not Deja's")
}

const COLUMNS: usize = 8;

const HEADINGS: [&str; COLUMNS] = [
    "KIND", "NAME", "VERSION", "LOADED", "CALLS", "TIME", "FAILURES", "BREAKER",
];

fn table(plugins: &[Value]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(plugins.iter().map(row));
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let mut lines = rows.iter().map(|row| line(row, widths));
    let mut text = lines.next().unwrap_or_default();
    for (plugin, line) in plugins.iter().zip(lines) {
        text += &line;
        text += &troubles(plugin);
    }
    text
}

fn row(plugin: &Value) -> [String; COLUMNS] {
    let text = |field: &str| plugin[field].as_str().unwrap_or_default().to_owned();
    let number = |field: &str| plugin[field].as_u64().unwrap_or_default();
    let loaded = UNIX_EPOCH + Duration::from_millis(number("loaded_at_ms"));
    [
        text("kind"),
        text("name"),
        text("version"),
        humantime::format_rfc3339_seconds(loaded).to_string(),
        number("calls").to_string(),
        format!("{:.1?}", Duration::from_micros(number("busy_us"))),
        number("failures").to_string(),
        text("breaker"),
    ]
}

fn line(row: &[String; COLUMNS], widths: [usize; COLUMNS]) -> String {
    let cells = row.iter().zip(widths);
    let cells: Vec<_> = cells
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    format!("{}\n", cells.join("  ").trim_end())
}

/// What a plugin's line has no room for.
fn troubles(plugin: &Value) -> String {
    let trouble = |(field, words): (&str, &str)| {
        let said = plugin[field].as_str()?;
        Some(format!("  {words}: {said}\n"))
    };
    [
        ("last_error", "last error"),
        ("rejected", "newest file not loaded"),
    ]
    .into_iter()
    .filter_map(trouble)
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_plugin_has_a_line_and_its_troubles_below() {
        let plugins = [
            json!({"kind": "keyer", "name": "exact", "version": "0.1.0", "loaded_at_ms": 1_000,
                "calls": 12, "busy_us": 3_400, "failures": 0, "breaker": "closed",
                "rejected": "it is empty"}),
            json!({"kind": "stats", "name": "standard", "version": "0.1.0", "loaded_at_ms": 0,
                "calls": 1, "busy_us": 7, "failures": 1, "breaker": "open",
                "last_error": null}),
        ];
        assert_eq!(
            table(&plugins),
            "KIND   NAME      VERSION  LOADED                CALLS  TIME   FAILURES  BREAKER\n\
             keyer  exact     0.1.0    1970-01-01T00:00:01Z  12     3.4ms  0         closed\n  \
             newest file not loaded: it is empty\n\
             stats  standard  0.1.0    1970-01-01T00:00:00Z  1      7.0µs  1         open\n"
        );
    }
}
