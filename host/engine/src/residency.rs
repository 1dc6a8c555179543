//! Which models are in memory: one budget over all engines.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use crate::EngineError;

/// Memory that engines share. Each claims its part before it loads its model; where there is too
/// little, the models that were idle longest leave. Clones are handles of one budget.
#[derive(Clone, Debug)]
pub struct Residency {
    table: watch::Sender<Table>,
    /// Held by the engine that is the next to load: who waits longer comes first.
    turn: Arc<Mutex<()>>,
}

/// Who has claimed what. Whoever waits sees every change of it.
#[derive(Debug, Default)]
struct Table {
    limit: Option<u64>,
    last_id: u64,
    residents: Vec<Resident>,
}

#[derive(Debug)]
struct Resident {
    id: u64,
    bytes: u64,
    /// Nothing while it has something to do.
    idle_since: Option<Instant>,
    /// Whether it was asked to leave. It may find that it has something to do again.
    is_leaving: bool,
}

/// What becomes of a wish for memory.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    /// It is granted, under this number.
    Granted(u64),
    /// Models leave to make room.
    Leaving,
    /// Too many models have something to do, or are on their way out already.
    Full,
    /// It is more than there is for all.
    TooLarge { limit: u64 },
}

/// A part of the memory. Dropping it gives it back, so it has to outlive what it was claimed for.
#[derive(Debug)]
pub(crate) struct Claim {
    id: u64,
    table: watch::Sender<Table>,
    idle_since: Option<Instant>,
}

impl Default for Residency {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Residency {
    /// A budget of so many bytes for the weights of all models, or one without end.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        let table = Table {
            limit,
            ..Table::default()
        };
        Self {
            table: watch::Sender::new(table),
            turn: Arc::default(),
        }
    }

    /// Changes the budget. Models that are loaded stay until another one needs their room.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.table.send_modify(|table| table.limit = limit);
    }

    /// Waits for memory, and has idle models leave for it.
    pub(crate) async fn claim(&self, bytes: u64) -> Result<Claim, EngineError> {
        let _turn = self.turn.lock().await;
        let mut changes = self.table.subscribe();
        loop {
            changes.mark_unchanged();
            match self.admit(bytes) {
                Admission::Granted(id) => {
                    return Ok(Claim {
                        id,
                        table: self.table.clone(),
                        idle_since: None,
                    });
                }
                Admission::TooLarge { limit } => {
                    return Err(EngineError::ModelTooLarge { bytes, limit });
                }
                Admission::Leaving | Admission::Full => {}
            }
            // The table lives as long as this handle of it.
            let _ = changes.changed().await;
        }
    }

    fn admit(&self, bytes: u64) -> Admission {
        let mut admission = Admission::Full;
        self.table.send_if_modified(|table| {
            admission = table.admit(bytes, Instant::now());
            admission == Admission::Leaving
        });
        admission
    }
}

impl Table {
    fn admit(&mut self, bytes: u64, now: Instant) -> Admission {
        let limit = self.limit.unwrap_or(u64::MAX);
        if bytes > limit {
            return Admission::TooLarge { limit };
        }
        let lacking = (self.used() + bytes).saturating_sub(limit);
        if lacking > 0 {
            return self.make_room(lacking, now);
        }
        self.last_id += 1;
        self.residents.push(Resident {
            id: self.last_id,
            bytes,
            idle_since: None,
            is_leaving: false,
        });
        Admission::Granted(self.last_id)
    }

    /// Asks those to leave that were idle longest, if that makes room enough.
    fn make_room(&mut self, lacking: u64, now: Instant) -> Admission {
        let mut idle: Vec<_> = self.residents.iter_mut().collect();
        idle.retain(|resident| resident.idle_since.is_some());
        idle.sort_by_key(|resident| (!resident.is_leaving, resident.idle_since.unwrap_or(now)));
        let mut room = 0;
        let enough = idle.iter().position(|resident| {
            room += resident.bytes;
            room >= lacking
        });
        let Some(last) = enough else {
            return Admission::Full;
        };
        let mut admission = Admission::Full;
        for resident in &mut idle[..=last] {
            if !resident.is_leaving {
                resident.is_leaving = true;
                admission = Admission::Leaving;
            }
        }
        admission
    }

    fn used(&self) -> u64 {
        self.residents.iter().map(|resident| resident.bytes).sum()
    }

    fn resident(&mut self, id: u64) -> Option<&mut Resident> {
        self.residents.iter_mut().find(|resident| resident.id == id)
    }

    fn is_leaving(&self, id: u64) -> bool {
        let leaving = |resident: &Resident| resident.id == id && resident.is_leaving;
        self.residents.iter().any(leaving)
    }
}

impl Claim {
    /// Notes whether its model has something to do; one that has need not leave.
    pub(crate) fn set_busy(&mut self, is_busy: bool) {
        if is_busy == self.idle_since.is_none() {
            return;
        }
        let idle_since = (!is_busy).then(Instant::now);
        self.idle_since = idle_since;
        self.table.send_modify(|table| {
            if let Some(resident) = table.resident(self.id) {
                resident.idle_since = idle_since;
                resident.is_leaving = false;
            }
        });
    }

    /// Since when its model has nothing to do.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }

    /// Waits until another model needs its room.
    pub(crate) async fn asked_to_leave(&self) {
        let mut changes = self.table.subscribe();
        // The table lives as long as this handle of it.
        let _ = changes.wait_for(|table| table.is_leaving(self.id)).await;
    }

    /// Claims another amount instead, if that fits into the budget as it is.
    pub(crate) fn resize(&self, bytes: u64) -> bool {
        let mut fits = false;
        self.table.send_if_modified(|table| {
            let (used, limit) = (table.used(), table.limit);
            let Some(resident) = table.resident(self.id) else {
                return false;
            };
            fits = limit.is_none_or(|limit| used - resident.bytes + bytes <= limit);
            if fits {
                resident.bytes = bytes;
            }
            fits
        });
        fits
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let others = |table: &mut Table| table.residents.retain(|resident| resident.id != self.id);
        self.table.send_modify(others);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn idle(claim: &mut Claim) {
        claim.set_busy(false);
    }

    async fn granted(residency: &Residency, bytes: u64) -> Claim {
        residency.claim(bytes).await.expect("there is room")
    }

    #[tokio::test]
    async fn without_a_limit_all_have_room() {
        let residency = Residency::default();
        let claims = [
            granted(&residency, u64::MAX / 2).await,
            granted(&residency, u64::MAX / 2).await,
        ];
        assert!(claims[0].resize(1));
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_is_told() {
        let error = Residency::new(Some(10)).claim(11).await;
        let expected = EngineError::ModelTooLarge {
            bytes: 11,
            limit: 10,
        };
        assert_eq!(error.expect_err("it is too large"), expected);
    }

    #[tokio::test]
    async fn who_was_idle_longest_leaves_and_no_more_than_are_needed() {
        let residency = Residency::new(Some(10));
        let mut claims = [
            granted(&residency, 4).await,
            granted(&residency, 3).await,
            granted(&residency, 3).await,
        ];
        for at in [1, 0, 2] {
            idle(&mut claims[at]);
        }
        let [first, second, third] = claims;
        let mut wish = Box::pin(residency.claim(5));
        assert!(wish.as_mut().now_or_never().is_none());
        let leaving = [&first, &second, &third].map(|claim| claim.asked_to_leave().now_or_never());
        assert_eq!(leaving, [Some(()), Some(()), None]);
        drop(second);
        assert!(
            wish.as_mut().now_or_never().is_none(),
            "the room is not enough"
        );
        drop(first);
        wish.await.expect("there is room");
    }

    #[tokio::test]
    async fn nobody_leaves_in_vain_and_whoever_is_needed_again_stays() {
        let residency = Residency::new(Some(10));
        let (mut busy, mut other) = (granted(&residency, 6).await, granted(&residency, 4).await);
        idle(&mut other);
        let mut wish = Box::pin(residency.claim(8));
        assert!(wish.as_mut().now_or_never().is_none());
        assert!(other.asked_to_leave().now_or_never().is_none());
        idle(&mut busy);
        assert!(wish.as_mut().now_or_never().is_none());
        assert!(other.asked_to_leave().now_or_never().is_some());
        other.set_busy(true);
        assert!(other.asked_to_leave().now_or_never().is_none());
        drop(busy);
        assert!(wish.as_mut().now_or_never().is_none());
        residency.set_limit(Some(12));
        wish.await.expect("there is room");
    }

    #[tokio::test]
    async fn a_claim_grows_as_far_as_there_is_room() {
        let residency = Residency::new(Some(10));
        let claims = [granted(&residency, 4).await, granted(&residency, 4).await];
        assert!(claims[0].resize(6));
        assert!(!claims[1].resize(5));
        assert!(claims[0].resize(5) && claims[1].resize(5));
    }
}
