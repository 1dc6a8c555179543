//! The results as one page that needs nothing else: it reads on a phone, in print, and in the dark.

use minijinja::{Environment, value::Serde};
use serde::Serialize;

use super::{
    agreement_row::AgreementRow,
    answers::Step,
    curves::{Group, groups},
    figures::{Figure, figures},
    merges::Example,
    results::{Cell, Results},
    table::{bytes, percent, runs, seconds},
};

const PAGE: &str = include_str!("report.html");

/// The charts of all keyers, each with the name of its file.
pub(super) fn charts(results: &Results) -> Vec<(String, String)> {
    let several = groups(results).len() > 1;
    let mut charts = Vec::new();
    for group in groups(results) {
        let keyer = group.keyer.filter(|_| several).map(file_name);
        for Figure { name, svg, .. } in figures(&group, &results.trace) {
            let keyer = keyer.iter().map(|keyer| format!("-{keyer}"));
            let name = format!("{name}{}.svg", keyer.collect::<String>());
            charts.push((name, svg));
        }
    }
    charts
}

/// A keyer's name without what a file's name must not hold.
fn file_name(keyer: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "-+_".contains(character) {
            character
        } else {
            '_'
        }
    };
    keyer.chars().map(plain).collect()
}

/// The page.
pub(super) fn report(results: &Results) -> String {
    let mut environment = Environment::new();
    environment
        .add_template("report.html", PAGE)
        .expect("the page is a template");
    environment.add_filter("bytes", bytes);
    environment.add_filter("seconds", seconds);
    let groups = groups(results);
    let sections = groups.iter().map(|group| Section::of(group, results));
    let (names, runs) = runs(&results.cells);
    let page = Page {
        title: title(&results.trace.path),
        sizes: results.trace.knows_sizes(),
        sections: sections.collect(),
        names,
        runs,
        results,
    };
    let template = environment.get_template("report.html");
    template
        .and_then(|template| template.render(Serde(page)))
        .expect("the page takes these values")
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    results: &'a Results,
    /// Whether answers have sizes of their own.
    sizes: bool,
    sections: Vec<Section<'a>>,
    /// The columns of the table of all runs.
    names: Vec<&'static str>,
    runs: Vec<Vec<String>>,
}

/// The last part of a path.
fn title(path: &str) -> &str {
    let name = std::path::Path::new(path).file_name();
    name.and_then(std::ffi::OsStr::to_str).unwrap_or(path)
}

/// All about one keyer.
#[derive(Serialize)]
struct Section<'a> {
    keyer: Option<&'a str>,
    verdict: Option<String>,
    charts: Vec<(String, String)>,
    /// What a row's size is measured in.
    measure: &'static str,
    names: Vec<&'a str>,
    rows: Vec<Row>,
    agreements: Vec<AgreementRow>,
    steps: [&'static str; 4],
    examples: &'a [Example],
}

#[derive(Serialize)]
struct Row {
    size: String,
    /// The hit rate of each policy, and whether none has a better one.
    rates: Vec<Option<(String, bool)>>,
}

impl<'a> Section<'a> {
    fn of(group: &'a Group<'a>, results: &'a Results) -> Self {
        let figures = figures(group, &results.trace).into_iter();
        let merges = group.infinite.and_then(|cell| cell.merges.as_ref());
        let mut agreements = Vec::new();
        if let Some(merges) = merges {
            agreements.push(AgreementRow::of("all merge hits", &merges.all));
            let rules = merges.by_rule.iter();
            agreements.extend(rules.map(|(rule, of)| AgreementRow::of(rule, of)));
        }
        if let Some(noise) = &results.noise {
            agreements.push(AgreementRow::of("exact repeats", noise));
        }
        Self {
            keyer: group.keyer,
            verdict: verdict(group),
            charts: figures.map(|figure| (figure.caption, figure.svg)).collect(),
            measure: group.measure.name(),
            names: group.curves.iter().map(|curve| &*curve.name).collect(),
            rows: rows(group),
            agreements,
            steps: Step::ALL.map(Step::label),
            examples: merges.map_or(&[], |merges| &merges.examples),
        }
    }
}

fn rows(group: &Group<'_>) -> Vec<Row> {
    let row = |size: u64| {
        let best = group.best(size);
        let best = best.first().map(|cell| cell.counts.hits);
        let rate = |cell: &Cell| {
            let is_best = !cell.bound && Some(cell.counts.hits) == best;
            (percent(cell.hit_rate), is_best)
        };
        let cells = group.curves.iter().map(|curve| group.cell(curve, size));
        Row {
            size: group.measure.label(size),
            rates: cells.map(|cell| cell.map(rate)).collect(),
        }
    };
    group.sizes().into_iter().map(row).collect()
}

/// What stands out, in a sentence.
fn verdict(group: &Group<'_>) -> Option<String> {
    if group.infinite.is_some_and(|cell| cell.counts.hits == 0) {
        return Some("Nothing is asked twice: not even a cache without end would hit.".to_owned());
    }
    let size = group.middle()?;
    let best = group.best(size);
    let rate = percent(best.first()?.hit_rate);
    let names: Vec<_> = best.iter().map(|cell| &*cell.eviction).collect();
    let rate_of = |name: &str| {
        let curve = group.curves.iter().find(|curve| curve.name == name)?;
        group.cell(curve, size).map(|cell| percent(cell.hit_rate))
    };
    let room = group.measure.in_words(size);
    let best = names.join(" or ");
    let mut words = vec![format!(
        "With room for {room}, {best} hits most often: {rate}"
    )];
    let lru = rate_of("lru").filter(|_| !names.contains(&"lru"));
    words.extend(lru.map(|lru| format!(", against {lru} for lru")));
    words.extend(
        rate_of("belady").map(|rate| format!(". Belady, who knows the future, would reach {rate}")),
    );
    let infinite = group.infinite.map(|cell| percent(cell.hit_rate));
    words.extend(infinite.map(|rate| format!(", a cache without end {rate}")));
    words.push(".".to_owned());
    Some(words.concat())
}
