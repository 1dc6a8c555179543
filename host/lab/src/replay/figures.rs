//! The charts of a replay.

use super::{
    chart::{Chart, Scale, Series},
    curves::{Curve, Group},
    measure::{Window, share},
    results::Cell,
    source::TraceFacts,
};

/// The most ticks along time.
const TIME_TICKS: u64 = 5;

/// A chart with what is said about it.
pub(super) struct Figure {
    /// The beginning of its file's name.
    pub(super) name: &'static str,
    pub(super) caption: String,
    pub(super) svg: String,
}

/// The charts of one keyer's runs.
pub(super) fn figures(group: &Group<'_>, trace: &TraceFacts) -> Vec<Figure> {
    let mut figures = Vec::new();
    if group.sizes().len() > 1 {
        figures.push(Figure {
            name: "miss-ratio",
            caption: "Misses by the size of the cache; less is better.".to_owned(),
            svg: over_size(group, "miss ratio", |cell| 1.0 - cell.hit_rate).svg(),
        });
        if sizes_differ(group) {
            figures.push(Figure {
                name: "byte-miss-ratio",
                caption: "Bytes missed by the size of the cache; less is better.".to_owned(),
                svg: over_size(group, "byte miss ratio", |cell| 1.0 - cell.byte_hit_rate).svg(),
            });
        }
    }
    if let Some(size) = group.middle() {
        let room = group.measure.in_words(size);
        figures.push(Figure {
            name: "hit-rate",
            caption: format!("Hit rate over time, with room for {room}; more is better."),
            svg: over_time(group, size, &Clock::of(trace)).svg(),
        });
    }
    figures
}

fn sizes_differ(group: &Group<'_>) -> bool {
    let cells = group.curves.iter().flat_map(|curve| &curve.cells);
    let mut counts = cells.map(|cell| &cell.counts);
    counts.any(|counts| counts.bytes != counts.requests)
}

fn over_size(group: &Group<'_>, y_name: &'static str, y: fn(&Cell) -> f64) -> Chart {
    let point = |cell: &&Cell| Some((float(group.measure.size(cell)?), y(cell)));
    let series = |curve: &Curve<'_>| Series {
        name: curve.name.clone(),
        bound: curve.bound,
        points: curve.cells.iter().filter_map(point).collect(),
        dots: true,
    };
    let mut lines: Vec<_> = group.curves.iter().map(series).collect();
    let sizes = group.sizes();
    if let Some(infinite) = group.infinite {
        let level = |size: &u64| (float(*size), y(infinite));
        lines.push(Series {
            name: "infinite".to_owned(),
            bound: true,
            points: sizes.iter().map(level).collect(),
            dots: false,
        });
    }
    let tick = |size: &u64| (float(*size), group.measure.label(*size));
    Chart {
        x_name: format!("{}, logarithmic", group.measure.name()),
        y_name,
        scale: Scale::Logarithmic,
        ticks: sizes.iter().map(tick).collect(),
        lines,
    }
}

fn over_time(group: &Group<'_>, size: u64, clock: &Clock) -> Chart {
    let series = |curve: &Curve<'_>| {
        let cell = group.cell(curve, size)?;
        Some(Series {
            name: curve.name.clone(),
            bound: cell.bound,
            points: clock.points(&cell.windows),
            dots: false,
        })
    };
    Chart {
        x_name: clock.name.to_owned(),
        y_name: "hit rate",
        scale: Scale::Linear,
        lines: group.curves.iter().filter_map(series).collect(),
        ticks: clock.ticks(),
    }
}

/// What time is told in: by the trace's clock, or by the requests that have come where it has none.
struct Clock {
    from_ms: u64,
    /// How long it all took: milliseconds, or requests.
    length: u64,
    has_times: bool,
    /// Milliseconds, or requests, of what is shown as one.
    unit: u64,
    name: &'static str,
}

impl Clock {
    fn of(trace: &TraceFacts) -> Self {
        let took_ms = trace.to_ms - trace.from_ms;
        let units = [
            (86_400_000, "days"),
            (3_600_000, "hours"),
            (60_000, "minutes"),
            (1000, "seconds"),
        ];
        let fits = |(unit, _): &(u64, _)| took_ms >= 2 * unit;
        let (unit, name) = units.into_iter().find(fits).unwrap_or((1, "milliseconds"));
        let has_times = took_ms > 0;
        let (length, unit, name) = if has_times {
            (took_ms, unit, name)
        } else {
            (trace.requests, 1, "requests")
        };
        Self {
            from_ms: trace.from_ms,
            length,
            has_times,
            unit,
            name,
        }
    }

    fn points(&self, windows: &[Window]) -> Vec<(f64, f64)> {
        let mut requests = 0;
        let point = |window: &Window| {
            let at = if self.has_times {
                window.at_ms - self.from_ms
            } else {
                requests
            };
            requests += window.requests;
            (share(at, self.unit), share(window.hits, window.requests))
        };
        windows.iter().map(point).collect()
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let step = round((self.length / self.unit).div_ceil(TIME_TICKS));
        let ticks = (0..=self.length / self.unit / step).map(|number| number * step);
        ticks.map(|tick| (float(tick), tick.to_string())).collect()
    }
}

/// The next number that is 1, 2 or 5 with zeros.
fn round(number: u64) -> u64 {
    let mut ten = 1_u64;
    while ten.saturating_mul(10) <= number {
        ten *= 10;
    }
    let factors = [1, 2, 5, 10].into_iter();
    let mut rounds = factors.map(|factor| ten.saturating_mul(factor));
    rounds.find(|round| *round >= number).unwrap_or(ten)
}

fn float(number: u64) -> f64 {
    share(number, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        for (number, rounded) in [
            (0, 1),
            (1, 1),
            (3, 5),
            (7, 10),
            (11, 20),
            (182_829, 200_000),
        ] {
            assert_eq!(round(number), rounded);
        }
    }
}
