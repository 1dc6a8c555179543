//! The runs as curves over the size of the cache: one group for each keyer, one curve for each
//! policy.

use super::{
    results::{Cell, Results},
    table,
};

/// What a cache's size is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Entries,
    Bytes,
}

impl Measure {
    /// The one that more sizes were tried in.
    fn of(cells: &[Cell]) -> Self {
        let sizes = |size: fn(&Cell) -> Option<u64>| {
            let mut sizes: Vec<_> = cells.iter().filter_map(size).collect();
            sizes.sort_unstable();
            sizes.dedup();
            sizes.len()
        };
        if sizes(|cell| cell.bytes_limit) > sizes(|cell| cell.entries) {
            Self::Bytes
        } else {
            Self::Entries
        }
    }

    pub(super) fn size(self, cell: &Cell) -> Option<u64> {
        match self {
            Self::Entries => cell.entries,
            Self::Bytes => cell.bytes_limit,
        }
    }

    pub(super) fn label(self, size: u64) -> String {
        match self {
            Self::Entries => size.to_string(),
            Self::Bytes => table::bytes(size),
        }
    }

    pub(super) fn in_words(self, size: u64) -> String {
        match self {
            Self::Entries => format!("{size} entries"),
            Self::Bytes => table::bytes(size),
        }
    }

    /// The other limit, which tells curves of one policy apart.
    fn other(self, cell: &Cell) -> Option<String> {
        match self {
            Self::Entries => cell.bytes_limit.map(table::bytes),
            Self::Bytes => cell.entries.map(|most| Self::Entries.in_words(most)),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Bytes => "bytes",
        }
    }
}

/// The runs under the keys of one keyer.
pub(super) struct Group<'a> {
    /// The keyer; none where the trace holds keys.
    pub(super) keyer: Option<&'a str>,
    pub(super) measure: Measure,
    pub(super) curves: Vec<Curve<'a>>,
    /// The run that keeps all.
    pub(super) infinite: Option<&'a Cell>,
}

/// The runs of one policy, the smallest cache first.
pub(super) struct Curve<'a> {
    pub(super) name: String,
    pub(super) bound: bool,
    pub(super) cells: Vec<&'a Cell>,
}

pub(super) fn groups(results: &Results) -> Vec<Group<'_>> {
    let measure = Measure::of(&results.cells);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for cell in &results.cells {
        let keyer = cell.keyer.as_deref();
        if groups.last().is_none_or(|group| group.keyer != keyer) {
            groups.push(Group {
                keyer,
                measure,
                curves: Vec::new(),
                infinite: None,
            });
        }
        let group = groups.last_mut().expect("one was pushed");
        group.add(cell);
    }
    groups
}

impl<'a> Group<'a> {
    fn add(&mut self, cell: &'a Cell) {
        if self.measure.size(cell).is_none() {
            self.infinite = Some(cell);
            return;
        }
        let name = match self.measure.other(cell) {
            Some(other) => format!("{}, {other}", cell.eviction),
            None => cell.eviction.clone(),
        };
        let place = self.curves.iter().position(|curve| curve.name == name);
        let place = place.unwrap_or(self.curves.len());
        if place == self.curves.len() {
            self.curves.push(Curve {
                name,
                bound: cell.bound,
                cells: Vec::new(),
            });
        }
        let cells = &mut self.curves[place].cells;
        cells.push(cell);
        cells.sort_by_key(|cell| self.measure.size(cell));
    }

    /// The sizes that were tried, the smallest first.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let cells = self.curves.iter().flat_map(|curve| &curve.cells);
        let mut sizes: Vec<_> = cells.filter_map(|cell| self.measure.size(cell)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// The size in the middle, of which the curves over time are shown.
    pub(super) fn middle(&self) -> Option<u64> {
        let sizes = self.sizes();
        sizes.get(sizes.len().saturating_sub(1) / 2).copied()
    }

    /// The run of this curve with this size.
    pub(super) fn cell(&self, curve: &Curve<'a>, size: u64) -> Option<&'a Cell> {
        let mut cells = curve.cells.iter().copied();
        cells.find(|cell| self.measure.size(cell) == Some(size))
    }

    /// Who hits most at this size, and who hits as often: bounds do not take part.
    pub(super) fn best(&self, size: u64) -> Vec<&'a Cell> {
        let policies = self.curves.iter().filter(|curve| !curve.bound);
        let cells = policies.filter_map(|curve| self.cell(curve, size));
        let mut cells: Vec<_> = cells.collect();
        let most = cells.iter().map(|cell| cell.counts.hits).max();
        cells.retain(|cell| Some(cell.counts.hits) == most);
        cells
    }
}
