//! The results for the terminal.

use std::fmt::Write as _;

use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};

use super::{
    agreement::Agreements,
    agreement_row::AgreementRow,
    answers::Step,
    merges::Example,
    results::{Cell, Results},
};

/// All that was found, in words and tables.
#[must_use]
pub fn table(results: &Results) -> String {
    let mut text = head(results);
    let (names, rows) = runs(&results.cells);
    text.push_str(&lines(2, names, rows));
    let keyers: Vec<_> = keyers(&results.cells).collect();
    if !keyers.is_empty() {
        text.push_str(&merges(&keyers, results.noise.as_ref()));
    }
    text
}

fn head(results: &Results) -> String {
    let trace = &results.trace;
    let mut text = format!(
        "{}: {} requests, {} distinct",
        trace.path, trace.requests, trace.distinct
    );
    if trace.knows_sizes() {
        let _ = write!(text, ", {}", bytes(trace.distinct_bytes));
    }
    text.push('\n');
    if trace.skipped > 0 {
        let first = trace.skipped_first.first().map_or("", String::as_str);
        let _ = writeln!(text, "passed over: {} parts, first {first}", trace.skipped);
    }
    if results.settings.warmup_requests > 0 {
        let warmup = results.settings.warmup_requests;
        let _ = writeln!(text, "not counted: the first {warmup} requests");
    }
    text.push('\n');
    text
}

/// A column of the runs' table: its name, and its cell where there is something to tell.
type Column = (&'static str, fn(&Cell) -> Option<String>);

const COLUMNS: [Column; 14] = [
    ("keyer", |cell| cell.keyer.clone()),
    ("eviction", |cell| Some(cell.eviction.clone())),
    ("entries", |cell| cell.entries.map(|most| most.to_string())),
    ("bytes", |cell| cell.bytes_limit.map(bytes)),
    ("hits", |cell| Some(cell.counts.hits.to_string())),
    ("hit rate", |cell| Some(percent(cell.hit_rate))),
    ("byte hit rate", |cell| {
        let counts = &cell.counts;
        (counts.bytes != counts.requests).then(|| percent(cell.byte_hit_rate))
    }),
    ("time saved", |cell| {
        let counts = &cell.counts;
        let known = counts.cost_ms != counts.requests;
        known.then(|| seconds(counts.saved_ms))
    }),
    ("tokens saved", |cell| {
        let counts = &cell.counts;
        (counts.tokens > 0).then(|| counts.saved_tokens.to_string())
    }),
    ("evictions", |cell| some(cell.counts.evictions)),
    ("by the host", |cell| {
        let expected = cell.bound || cell.eviction == super::HOST;
        some(cell.counts.host_evictions).filter(|_| !expected)
    }),
    ("expired", |cell| some(cell.counts.expired)),
    ("bypassed", |cell| some(cell.counts.bypassed)),
    ("merge hits", |cell| {
        cell.merges.as_ref().and_then(|merges| some(merges.count()))
    }),
];

/// The runs, in the columns that tell something: their names, and a row for each run.
pub(super) fn runs(cells: &[Cell]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let told = |(_, text): &&Column| cells.iter().any(|cell| text(cell).is_some());
    let columns: Vec<_> = COLUMNS.iter().filter(told).collect();
    let row = |cell| {
        let texts = columns.iter().map(|(_, text)| text(cell));
        texts.map(Option::unwrap_or_default).collect()
    };
    let rows = cells.iter().map(row).collect();
    (columns.iter().map(|(name, _)| *name).collect(), rows)
}

/// The runs that show all merge hits of a keyer: those that keep all.
fn keyers(cells: &[Cell]) -> impl Iterator<Item = &Cell> {
    let keeps_all = |cell: &&Cell| cell.eviction == "infinite" && cell.keyer.is_some();
    cells.iter().filter(keeps_all)
}

fn merges(keyers: &[&Cell], noise: Option<&Agreements>) -> String {
    let names = ["keyer", "merge hits", "unverified"];
    let steps = Step::ALL.iter().map(|step| step.label());
    let names = names.into_iter().chain(steps).chain(["differ", "95%"]);
    let mut rows = Vec::new();
    let mut examples = Vec::new();
    for cell in keyers {
        let (Some(keyer), Some(merges)) = (&cell.keyer, &cell.merges) else {
            continue;
        };
        rows.push(agreements(keyer, &merges.all));
        let rules = merges.by_rule.iter();
        rows.extend(rules.map(|(rule, of)| agreements(format!("  {rule}"), of)));
        examples.extend(merges.examples.iter().map(|example| (keyer, example)));
    }
    if let Some(noise) = noise {
        rows.push(agreements("exact repeats", noise));
    }
    let mut text =
        "\nMerge hits with room for all, and how many of their answers agree:\n".to_owned();
    text.push_str(&lines(1, names.collect(), rows));
    for (keyer, example) in examples {
        text.push_str(&in_words(keyer, example));
    }
    text
}

fn agreements(name: impl Into<String>, agreements: &Agreements) -> Vec<String> {
    let row = AgreementRow::of(name, agreements);
    let counts = [row.count, row.unverified].map(|count| count.to_string());
    let ends = [row.differ, row.interval];
    let begin = [row.name].into_iter().chain(counts);
    begin.chain(row.agree).chain(ends).collect()
}

fn in_words(keyer: &str, example: &Example) -> String {
    format!(
        "\n{keyer} ({}) took for the same:\n  {}\n    → {}\n  {}\n    → {}\n",
        example.rules.join(", "),
        one_line(&example.stored_question),
        one_line(&example.stored_answer),
        one_line(&example.question),
        one_line(&example.answer),
    )
}

fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

/// Lines of which the first columns, this many, are texts, and the others numbers.
fn lines(texts: usize, names: Vec<&str>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(names)
        .add_rows(rows);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if number >= texts {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

fn some(count: u64) -> Option<String> {
    (count > 0).then(|| count.to_string())
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

pub(super) fn bytes(count: u64) -> String {
    ByteSize(count).display().iec().to_string()
}

pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
