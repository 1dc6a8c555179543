//! What the tests of replays share.

use deja_cache::Capacity;
use deja_trace::Access;

use super::{
    measure::{Model, Outcome},
    workload::{Request, Treatment, Workload},
};

/// A workload of these keys, of a unit's size and cost.
pub(super) fn workload(keys: impl IntoIterator<Item = u64>) -> Workload {
    Workload::of_accesses(keys.into_iter().map(Access::unit)).expect("it makes sense")
}

pub(super) fn request(key: u32) -> Request {
    Request {
        at_ms: 0,
        key,
        treatment: Treatment::Cache,
        bytes: 1,
        cost_ms: 1,
        prompt_tokens: 0,
        output_tokens: 0,
        ttl_seconds: None,
    }
}

/// Room for so many entries.
pub(super) fn entries(entries: u64) -> Capacity {
    Capacity {
        entries,
        bytes: u64::MAX,
    }
}

pub(super) fn hits(model: &mut impl Model, workload: &Workload) -> usize {
    let requests = u32::try_from(workload.requests.len()).expect("they are few");
    (0..requests)
        .filter(|number| matches!(model.request(*number), Outcome::Hit { .. }))
        .count()
}
