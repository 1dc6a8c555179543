//! The table that is printed at the end, and the numbers in it.

use std::fmt;

/// One line: a figure of Deja's beside the same figure of something else.
pub(crate) struct Comparison {
    /// What was measured, and beside what.
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) deja: f64,
    pub(crate) other: f64,
    pub(crate) by: By,
    /// Where the ratio or the difference should be.
    pub(crate) goal: Option<Goal>,
}

/// What a figure counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// Requests in a second.
    PerSecond,
    /// Thousandths of a second.
    Milliseconds,
    /// 2²⁰ bytes.
    Mebibytes,
}

/// What is looked at in a comparison.
#[derive(Clone, Copy)]
pub(crate) enum By {
    /// How many times the other figure.
    Ratio,
    /// How much more than the other figure.
    Difference,
}

/// A bound. A comparison that misses it is printed as any other.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Not less than this.
    AtLeast(f64),
    /// Not more than this.
    AtMost(f64),
}

impl Comparison {
    /// The cells of its line.
    fn cells(&self) -> [String; 6] {
        let compared = match self.by {
            By::Ratio => self.deja / self.other,
            By::Difference => self.deja - self.other,
        };
        let (goal, verdict) = match self.goal {
            Some(goal) => (self.goal(goal), goal.verdict(compared)),
            None => (String::new(), ""),
        };
        [
            self.what.clone(),
            self.figure(self.deja),
            self.figure(self.other),
            self.compared(compared),
            goal,
            verdict.to_owned(),
        ]
    }

    fn figure(&self, figure: f64) -> String {
        format!("{figure:.*} {}", self.unit.decimals(), self.unit)
    }

    fn compared(&self, compared: f64) -> String {
        match self.by {
            By::Ratio => format!("{compared:.2} x"),
            By::Difference => format!("{compared:+.*} {}", self.unit.decimals(), self.unit),
        }
    }

    fn goal(&self, goal: Goal) -> String {
        match goal {
            Goal::AtLeast(bound) => format!(">= {}", self.compared(bound)),
            Goal::AtMost(bound) => format!("<= {}", self.compared(bound)),
        }
    }
}

impl Goal {
    fn verdict(self, compared: f64) -> &'static str {
        let is_met = match self {
            Self::AtLeast(bound) => compared >= bound,
            Self::AtMost(bound) => compared <= bound,
        };
        if is_met { "met" } else { "not met" }
    }
}

impl Unit {
    fn decimals(self) -> usize {
        match self {
            Self::PerSecond => 0,
            Self::Milliseconds => 3,
            Self::Mebibytes => 1,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PerSecond => "/s",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
        })
    }
}

/// Prints the table.
pub(crate) fn print(comparisons: &[Comparison]) {
    let titles = ["", "Deja", "beside it", "compared", "goal", ""];
    let lines = comparisons.iter().map(Comparison::cells);
    println!();
    for [what, deja, other, compared, goal, verdict] in
        [titles.map(str::to_owned)].into_iter().chain(lines)
    {
        println!("{what:<50}{deja:>14}{other:>14}{compared:>14}{goal:>16}  {verdict}");
    }
}

/// The figure below which this share of the figures lies.
pub(crate) fn quantile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of a few thousand"
    )]
    let index = ((figures.len() - 1) as f64 * share).round() as usize;
    figures[index]
}
