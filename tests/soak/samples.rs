//! What the server holds of memory and files, sampled each second.

use std::{sync::Mutex, time::Instant};

use deja_tests::Deja;

use crate::slope::Slope;

/// How many samples are kept; of more, every second one is dropped.
const KEPT: usize = 20_000;

/// Which part of the time is left out: caches and pools fill up in it.
const WARM_UP: f64 = 0.1;

/// The samples of one quantity: seconds since the start, and the value.
#[derive(Default)]
struct Series(Vec<(f64, f64)>);

/// All that is sampled.
pub(crate) struct Samples {
    started: Instant,
    series: Mutex<[Series; 2]>,
}

/// What is said of a quantity at the end.
pub(crate) struct Summary {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) peak: f64,
    pub(crate) slope: Option<Slope>,
}

impl Samples {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            series: Mutex::default(),
        }
    }

    /// Takes a sample; returns the resident MiB and the open files.
    pub(crate) fn take(&self, deja: &Deja) -> (f64, Option<usize>) {
        let (memory, files) = (deja.resident(), deja.descriptors());
        let now = self.started.elapsed().as_secs_f64();
        let mut series = self.series.lock().expect("nobody panics with it");
        series[0].add(now, memory);
        if let Some(files) = files {
            let files = u32::try_from(files).map_or(f64::MAX, f64::from);
            series[1].add(now, files);
        }
        (memory, files)
    }

    /// What became of the memory, in MiB, and of the open files.
    pub(crate) fn summaries(&self) -> [Option<Summary>; 2] {
        let whole = self.started.elapsed().as_secs_f64();
        let series = self.series.lock().expect("nobody panics with it");
        [0, 1].map(|at| series[at].summary(whole * WARM_UP))
    }
}

impl Series {
    fn add(&mut self, now: f64, value: f64) {
        self.0.push((now, value));
        if self.0.len() > KEPT {
            let mut at = 0;
            self.0.retain(|_| {
                at += 1;
                at % 2 == 0
            });
        }
    }

    fn summary(&self, start: f64) -> Option<Summary> {
        let from = self.0.partition_point(|(time, _)| *time < start);
        let counted = &self.0[from..];
        let values = || counted.iter().map(|(_, value)| *value);
        Some(Summary {
            first: values().next()?,
            last: values().next_back()?,
            peak: values().fold(f64::MIN, f64::max),
            slope: Slope::of(counted),
        })
    }
}
