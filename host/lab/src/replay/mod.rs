//! What another policy would have done: keyers, eviction policies and capacities, in every
//! combination, over a recorded trace, with the same component files that serve.

mod agreement;
mod agreement_row;
mod answers;
mod archive;
mod asked;
mod belady;
mod chart;
mod contestant;
mod curves;
mod experiment;
mod figures;
mod measure;
mod merges;
mod output;
mod report;
mod results;
mod simulator;
mod source;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod workload;

pub use agreement::{Agreements, Estimate};
pub use answers::Step;
pub use contestant::HOST;
pub use experiment::{Plan, Progress, ReplayError, Warmup, replay};
pub use measure::{Counts, Window};
pub use merges::{Example, MergeHits};
pub use output::write_results;
pub use results::{Cell, FORMAT, Results, Settings};
pub use source::{SourceError, TraceFacts};
pub use table::table;
pub use workload::BadTrace;
