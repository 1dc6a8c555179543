//! Agreements as a row of a table.

use serde::Serialize;

use super::{
    agreement::{Agreements, Estimate},
    answers::Step,
    table::percent,
};

/// A row: of nothing that was compared it says that it is unverified, and never a share.
#[derive(Serialize)]
pub(super) struct AgreementRow {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) unverified: u64,
    /// The shares that agree on each step or a stricter one.
    pub(super) agree: [String; 4],
    pub(super) differ: String,
    /// Where the true share of those that differ is, with 95% confidence.
    pub(super) interval: String,
}

impl AgreementRow {
    pub(super) fn of(name: impl Into<String>, agreements: &Agreements) -> Self {
        let (compared, differ) = (agreements.compared(), agreements.differ());
        let rate = |estimate: Estimate| match estimate.of {
            0 => "–".to_owned(),
            _ => percent(estimate.rate),
        };
        Self {
            name: name.into(),
            count: compared + agreements.unverified(),
            unverified: agreements.unverified(),
            agree: Step::ALL.map(|step| rate(agreements.agree(step))),
            differ: rate(differ),
            interval: match compared {
                0 => "unverified".to_owned(),
                _ => format!("{} to {}", percent(differ.low), percent(differ.high)),
            },
        }
    }
}
