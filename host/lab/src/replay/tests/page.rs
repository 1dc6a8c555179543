//! The files that a replay leaves.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use deja_policy::PluginChoice;
use svg::parser::Event;

use super::{super::write_results, Folder, Results, entries, keyers::recorded, lasting, run};

fn results() -> (Folder, Results) {
    let (folder, mut plan) = recorded();
    plan.evictions = ["host", "sieve"].map(PluginChoice::new).to_vec();
    plan.capacities = entries(&[1, 2, 4]);
    let results = lasting(run(&plan).expect("it runs"));
    write_results(folder.path(), &results).expect("there is room");
    (folder, results)
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).expect("it was written")
}

#[test]
fn results_are_read_as_they_are_written() {
    let (folder, results) = results();
    let read: Results = serde_json::from_str(&read(&folder, "results.json")).expect("it is JSON");
    assert_eq!(read, results);
}

#[test]
fn every_run_is_a_line() {
    let (folder, results) = results();
    let csv = read(&folder, "results.csv");
    assert_eq!(csv.lines().count(), results.cells.len() + 1);
    let (names, first) = csv.split_once('\n').expect("there are lines");
    assert!(names.starts_with("keyer,eviction,entries,bytes_limit,requests,hits,hit_rate"));
    assert!(first.starts_with("exact,host,1,,7,"), "{first}");
}

#[test]
fn charts_are_drawings_with_a_line_for_each_policy() {
    let (folder, _) = results();
    let files = fs::read_dir(folder.path()).expect("it is there").flatten();
    let charts = files
        .map(|file| file.path())
        .filter(|path| path.extension() == Some("svg".as_ref()));
    assert_eq!(charts.count(), 6);
    let chart = read(&folder, "miss-ratio-exact.svg");
    let events = svg::read(&chart).expect("it is SVG");
    let lines = events.filter(|event| matches!(event, Event::Tag("polyline", ..)));
    // Each line, and its sign in the legend: host, sieve, belady, infinite.
    assert_eq!(lines.count(), 8);
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let (folder, _) = results();
    let page = read(&folder, "report.html");
    for outside in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(
        page.contains("&lt;script&gt;"),
        "the answer is shown as it is"
    );
}

#[test]
fn where_nothing_repeats_no_policy_is_praised() {
    let (folder, mut plan) = Folder::with("keys.txt", "1\n2\n3\n");
    plan.capacities = entries(&[1, 2]);
    let results = run(&plan).expect("it runs");
    write_results(folder.path(), &results).expect("there is room");
    let page = read(&folder, "report.html");
    assert!(page.contains("Nothing is asked twice") && !page.contains("hits most often"));
}

/// Where a browser can be had, the page is laid out by it, on a phone and on a desktop.
#[test]
fn the_page_is_no_wider_than_the_screen() {
    let Some(browser) = browser() else { return };
    let (folder, _) = results();
    for width in [360, 1280] {
        let frame = folder.path().join("frame.html");
        fs::write(&frame, framed(&read(&folder, "report.html"), width)).expect("there is room");
        let page = laid_out(&browser, &frame, folder.path());
        let measured = format!("<title>{width} {width} 6 charts</title>");
        assert!(
            page.contains(&measured),
            "{}",
            page.lines().next().unwrap_or_default()
        );
    }
}

fn browser() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let programs = env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    programs.into_iter().find(|program| program.is_file())
}

/// A page that shows another in a frame of this width, and tells in its title how wide that becomes.
fn framed(page: &str, width: u32) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        r#"<!doctype html><title>none</title><body style="margin:0">
<iframe width="{width}" height="800" style="border:0" srcdoc="{page}"
  onload="const page = this.contentDocument.documentElement;
    const charts = [...page.querySelectorAll('svg')].filter(chart => chart.clientWidth > 200);
    document.title = [page.clientWidth, page.scrollWidth, charts.length, 'charts'].join(' ')"></iframe>"#
    )
}

fn laid_out(browser: &Path, page: &Path, folder: &Path) -> String {
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("browser").display()
        ))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
