//! Replays beside libcachesim, over the same trace in the same run: hit rates and requests a second.
//!
//! The trace is the one whose path is given (`cargo xtask bench replay -- PATH`), which knows keys
//! only; without one it is made, and its keys are of Zipf's distribution. Over the OLTP trace of the
//! ARC paper the hit rates have to be those that the papers' reference code counts.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program for the terminal"
)]

use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use deja_cache::Capacity;
use deja_lab::replay::{Cell, Plan, Warmup, replay};
use deja_policy::{Limits, PluginChoice, PluginLibrary};
use deja_trace::{ReadOptions, Trace};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const SIZES: [u64; 5] = [1000, 2000, 5000, 10_000, 15_000];

/// The policies that are also timed one after the other, and `host`, the host's own LRU.
const POLICIES: [&str; 7] = [
    "host",
    "lru",
    "fifo",
    "sieve",
    "s3-fifo",
    "gdsf",
    "w-tinylfu",
];

/// Requests of the OLTP trace.
const OLTP_REQUESTS: u64 = 914_145;

/// Hit rates over it, in percent.
const OLTP: [(&str, [&str; 5]); 4] = [
    ("lru", ["32.83", "42.47", "53.65", "60.70", "64.63"]),
    ("belady", ["53.61", "60.40", "68.27", "73.02", "75.14"]),
    ("sieve", ["32.56", "41.19", "51.89", "60.47", "65.10"]),
    ("s3-fifo", ["40.84", "47.01", "55.88", "62.64", "66.04"]),
];

fn main() {
    let folder = tempfile::tempdir().expect("there is room");
    let given = env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let path = given.map_or_else(|| made(folder.path()), PathBuf::from);
    let library = PluginLibrary::new(Limits::default(), None, None).expect("starts");

    let one_by_one = run(&path, &library, &POLICIES, &SIZES, Some(1));
    let requests = one_by_one[0].counts.requests;
    println!("{requests} requests; hit rate in percent, and million requests a second on one core");
    print_rates("Deja", &rates(&one_by_one));
    let theirs = folder.path().join("trace.oracleGeneral");
    write_oracle_general(&path, &theirs);
    print_rates("libcachesim 0.3.5", &libcachesim(&theirs, requests));

    let sizes: Vec<u64> = (0..8).map(|step| 500 << step).collect();
    let start = Instant::now();
    run(&path, &library, &POLICIES[1..], &sizes, None);
    let seconds = start.elapsed().as_secs_f64();
    println!("\n6 policies x 8 sizes and the bounds, on all cores: {seconds:.1} s");
    if requests == OLTP_REQUESTS {
        check_oltp(&rates(&one_by_one));
    }
}

fn run(
    path: &Path,
    library: &PluginLibrary,
    policies: &[&str],
    sizes: &[u64],
    jobs: Option<usize>,
) -> Vec<Cell> {
    let capacity = |&entries| Capacity {
        entries,
        bytes: u64::MAX,
    };
    let plan = Plan {
        trace: path.to_owned(),
        read: ReadOptions::default(),
        keyers: Vec::new(),
        evictions: policies.iter().copied().map(PluginChoice::new).collect(),
        capacities: sizes.iter().map(capacity).collect(),
        ttl: None,
        warmup: Warmup::Requests(0),
        seed: 0,
        jobs,
        out: None,
    };
    replay(&plan, library, &|_| {}).expect("replays").cells
}

/// The hit rate in percent and the requests a second of each size, by policy.
type Rates = BTreeMap<String, Vec<(String, f64)>>;

fn rates(cells: &[Cell]) -> Rates {
    let mut rates = Rates::new();
    for cell in cells {
        let rate = (percent(cell.hit_rate), cell.requests_per_second);
        rates.entry(cell.eviction.clone()).or_default().push(rate);
    }
    rates
}

fn percent(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}

fn print_rates(title: &str, rates: &Rates) {
    println!("\n{title}");
    for (name, rates) in rates {
        let rates = rates
            .iter()
            .map(|(rate, speed)| format!("{rate:>6} {:5.2}M", speed / 1e6));
        println!("  {name:<10} {}", rates.collect::<Vec<_>>().join("   "));
    }
}

fn libcachesim(trace: &Path, requests: u64) -> Rates {
    let python = env::var("DEJA_PYTHON").expect("`cargo xtask bench` names a Python");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/libcachesim_rates.py");
    let sizes = SIZES.map(|size| size.to_string()).join(",");
    let mut python = Command::new(python);
    python
        .arg(program)
        .arg(trace)
        .arg(requests.to_string())
        .arg(sizes);
    let output = python.output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut rates = Rates::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
        let name = line["policy"].as_str().expect("it has a name");
        let number = |field: &str| line[field].as_f64().expect("it is a number");
        let rate = (percent(number("hit_rate")), number("per_second"));
        rates.entry(name.to_owned()).or_default().push(rate);
    }
    rates
}

fn check_oltp(rates: &Rates) {
    for (name, expected) in OLTP {
        let counted: Vec<_> = rates[name].iter().map(|(rate, _)| &**rate).collect();
        assert_eq!(counted, expected, "hit rates of {name}");
    }
    println!("The hit rates over OLTP are those of the papers' reference code.");
}

/// Writes a trace as libcachesim reads it.
fn write_oracle_general(path: &Path, to: &Path) {
    let keys = keys(path);
    let mut next = HashMap::new();
    let numbered: Vec<(i64, &u64)> = (1..).zip(&keys).collect();
    let entries = numbered.into_iter().rev().map(|(number, &key)| {
        let next = next.insert(key, number).unwrap_or(i64::MAX);
        [
            &0_u32.to_le_bytes()[..],
            &key.to_le_bytes(),
            &1_u32.to_le_bytes(),
            &next.to_le_bytes(),
        ]
        .concat()
    });
    let mut entries: Vec<_> = entries.collect();
    entries.reverse();
    fs::write(to, entries.concat()).expect("there is room");
}

fn keys(path: &Path) -> Vec<u64> {
    match deja_trace::open(path, &ReadOptions::default()).expect("it is a trace") {
        Trace::Accesses(file) => file.accesses().flatten().map(|access| access.key).collect(),
        _ => panic!("it knows more than keys"),
    }
}

/// A trace of keys, of which number n is asked for n times as seldom as the first.
fn made(folder: &Path) -> PathBuf {
    const KEYS: u32 = 100_000;
    let mut random = StdRng::seed_from_u64(1);
    // Zipf's distribution with exponent 1 is about that of an exponential of a uniform number.
    let most = f64::from(KEYS).ln();
    let key = |_| format!("{:.0}\n", (random.random::<f64>() * most).exp());
    let trace: String = (0..1_000_000).map(key).collect();
    let path = folder.join("zipf.txt");
    fs::write(&path, trace).expect("there is room");
    path
}
