//! GDSF, Greedy-Dual-Size-Frequency: Cherkasova, "Improving WWW Proxies Performance with
//! Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories, 1998.
//!
//! An item is worth L + uses · cost / size, where the cost is the milliseconds of inference that a
//! hit saves, and L the worth of the last victim when it was counted: so what is not used any more
//! falls behind. For caches of language models this is optimal up to a constant: Zhu et al.,
//! arXiv 2306.02003.

use std::cmp::Ordering;

use priority_queue::PriorityQueue;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::{Item, Policy};

/// What saves the least inference for its size leaves first.
#[derive(Default)]
pub struct Gdsf {
    items: PriorityQueue<u64, Worth, FxBuildHasher>,
    /// L.
    last: f64,
    /// Counts insertions and uses.
    now: u64,
}

/// What GDSF saves.
#[derive(Serialize, Deserialize)]
pub struct State {
    items: Vec<Worth>,
    last: f64,
    now: u64,
}

/// An item and what it is worth. The least is the greatest: it leaves first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Worth {
    value: f64,
    /// When it was last counted.
    at: u64,
    uses: u32,
    item: Item,
}

impl Ord for Worth {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = other.value.total_cmp(&self.value);
        by_value.then_with(|| other.at.cmp(&self.at))
    }
}

impl PartialOrd for Worth {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worth {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Worth {}

impl Worth {
    /// Counts one more use.
    fn count(&mut self, last: f64, now: u64) {
        self.uses = self.uses.saturating_add(1);
        self.value = last + f64::from(self.uses) * f64::from(self.item.cost_ms) / size(&self.item);
        self.at = now;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no entry has more bytes than a float counts"
)]
fn size(item: &Item) -> f64 {
    item.bytes.max(1) as f64
}

impl Policy for Gdsf {
    const FORMAT: &'static str = "gdsf 1";

    type State = State;

    fn insert(&mut self, item: Item) {
        self.now += 1;
        let mut worth = Worth {
            value: 0.0,
            at: 0,
            uses: 0,
            item,
        };
        worth.count(self.last, self.now);
        self.items.push(item.id, worth);
    }

    fn hit(&mut self, id: u64) {
        self.now += 1;
        let (last, now) = (self.last, self.now);
        self.items
            .change_priority_by(&id, |worth| worth.count(last, now));
    }

    fn remove(&mut self, id: u64) {
        self.items.remove(&id);
    }

    fn evict(&mut self) -> Option<Item> {
        let (_, Worth { value, item, .. }) = self.items.pop()?;
        self.last = value;
        Some(item)
    }

    fn save(&self) -> State {
        State {
            items: self.items.iter().map(|(_, &worth)| worth).collect(),
            last: self.last,
            now: self.now,
        }
    }

    fn restore(&mut self, state: State) {
        let items = state.items.into_iter();
        self.items = items.map(|worth| (worth.item.id, worth)).collect();
        self.last = state.last;
        self.now = state.now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Capacity;
    use crate::testing::{Model, Step, agree, capacity, steps, take};

    /// Whose worth was counted last stands last.
    #[derive(Default)]
    struct Naive {
        items: Vec<Counted>,
        last: f64,
    }

    struct Counted {
        item: Item,
        uses: u32,
        worth: f64,
    }

    impl Naive {
        fn count(&mut self, item: Item, uses: u32) {
            let gain = f64::from(uses) * f64::from(item.cost_ms);
            let worth = self.last + gain / size(&item);
            self.items.push(Counted { item, uses, worth });
        }
    }

    impl Model for Naive {
        fn insert(&mut self, item: Item) {
            self.count(item, 1);
        }

        fn hit(&mut self, id: u64) {
            if let Some(Counted { item, uses, .. }) = take(&mut self.items, |c| c.item.id == id) {
                self.count(item, uses + 1);
            }
        }

        fn remove(&mut self, id: u64) {
            take(&mut self.items, |counted| counted.item.id == id);
        }

        fn evict(&mut self) -> Item {
            let least = self
                .items
                .iter()
                .map(|counted| counted.worth)
                .reduce(f64::min);
            self.last = least.expect("there is an item");
            let place = self
                .items
                .iter()
                .position(|counted| Some(counted.worth) == least);
            self.items.remove(place.expect("there is an item")).item
        }
    }

    proptest! {
        #[test]
        fn decides_as_the_paper_says(capacity in capacity(), steps in steps()) {
            agree(capacity, &steps, |_| Gdsf::default(), |_| Naive::default())?;
        }
    }

    #[test]
    fn what_is_dear_for_its_size_stays() {
        let capacity = Capacity {
            entries: 3,
            bytes: 100,
        };
        let request = |key, bytes, cost_ms| Step::Request {
            key,
            bytes,
            cost_ms,
        };
        // Worth 1, 10 and 2; 4 finds room when 1 has left, 5 when 3 has.
        let requests = [
            request(1, 10, 10),
            request(2, 1, 10),
            request(3, 10, 20),
            request(4, 10, 20),
            request(5, 10, 10),
        ];
        let held = agree(
            capacity,
            &requests,
            |_| Gdsf::default(),
            |_| Naive::default(),
        );
        assert_eq!(held.expect("they agree"), [2, 4, 5]);
    }
}
