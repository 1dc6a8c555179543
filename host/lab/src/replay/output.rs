//! The results in a folder.

use std::{io, path::Path};

use serde::Serialize;

use super::{
    archive::write,
    merges::MergeHits,
    report::{charts, report},
    results::{Cell, Results},
};

/// Writes `results.json`, `results.csv`, the charts, and `report.html` into a folder.
pub fn write_results(folder: &Path, results: &Results) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut json = serde_json::to_vec_pretty(results)?;
    json.push(b'\n');
    write(&folder.join("results.json"), &json)?;
    write(&folder.join("results.csv"), &csv(results)?)?;
    for (name, svg) in charts(results) {
        write(&folder.join(name), svg.as_bytes())?;
    }
    write(&folder.join("report.html"), report(results).as_bytes())
}

/// A line of the file of comma-separated values.
#[derive(Serialize)]
struct Line<'a> {
    keyer: Option<&'a str>,
    eviction: &'a str,
    entries: Option<u64>,
    bytes_limit: Option<u64>,
    requests: u64,
    hits: u64,
    hit_rate: f64,
    byte_hit_rate: f64,
    saved_ms: u64,
    saved_tokens: u64,
    evictions: u64,
    host_evictions: u64,
    expired: u64,
    bypassed: u64,
    merge_hits: Option<u64>,
    merge_hits_compared: Option<u64>,
    merge_hits_differ: Option<u64>,
    requests_per_second: f64,
    trace_blake3: &'a str,
    policy: Option<&'a str>,
    seed: u64,
    deja: &'a str,
}

fn csv(results: &Results) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for cell in &results.cells {
        writer.serialize(Line::of(cell, results))?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

impl<'a> Line<'a> {
    fn of(cell: &'a Cell, results: &'a Results) -> Self {
        let (counts, merges) = (&cell.counts, cell.merges.as_ref());
        Self {
            keyer: cell.keyer.as_deref(),
            eviction: &cell.eviction,
            entries: cell.entries,
            bytes_limit: cell.bytes_limit,
            requests: counts.requests,
            hits: counts.hits,
            hit_rate: cell.hit_rate,
            byte_hit_rate: cell.byte_hit_rate,
            saved_ms: counts.saved_ms,
            saved_tokens: counts.saved_tokens,
            evictions: counts.evictions,
            host_evictions: counts.host_evictions,
            expired: counts.expired,
            bypassed: counts.bypassed,
            merge_hits: merges.map(MergeHits::count),
            merge_hits_compared: merges.map(|merges| merges.all.compared()),
            merge_hits_differ: merges.map(|merges| merges.all.differ().count),
            requests_per_second: cell.requests_per_second,
            trace_blake3: &results.trace.blake3,
            policy: results.policies.get(&cell.eviction).map(String::as_str),
            seed: results.settings.seed,
            deja: &results.deja,
        }
    }
}
