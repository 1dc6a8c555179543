//! Events a second of each policy, without WebAssembly.

#![allow(missing_docs)]

use deja_eviction::{
    Capacity, Driver, Fifo, Gdsf, Item, Lru, Policy, S3Fifo, Shares, Sieve, WTinyLfu,
};
use divan::{Bencher, counter::ItemsCount};

/// As many as `host/policy/benches` takes.
const CAPACITY: Capacity = Capacity {
    entries: 1000,
    bytes: 1 << 30,
};

fn main() {
    divan::main();
}

/// A policy of standard settings.
trait Standard: Policy {
    fn standard() -> Self;
}

macro_rules! standard {
    ($($policy:ty => $new:expr,)*) => {
        $(impl Standard for $policy {
            fn standard() -> Self {
                $new
            }
        })*
    };
}

standard! {
    Fifo => Self::default(),
    Gdsf => Self::default(),
    Lru => Self::default(),
    S3Fifo => Self::new(CAPACITY, 0.1),
    Sieve => Self::default(),
    WTinyLfu => Self::new(CAPACITY, Shares::default()),
}

#[divan::bench(types = [Fifo, Gdsf, Lru, S3Fifo, Sieve, WTinyLfu], args = [1, 64])]
fn hit<P: Standard>(bencher: Bencher<'_, '_>, batch: u64) {
    let mut driver = full::<P>();
    let ids: Vec<_> = (0..batch).map(|id| id * 7 % CAPACITY.entries).collect();
    bencher
        .counter(ItemsCount::new(batch))
        .bench_local(|| driver.hit(&ids));
}

#[divan::bench(types = [Fifo, Gdsf, Lru, S3Fifo, Sieve, WTinyLfu])]
fn insert_and_evict<P: Standard>(bencher: Bencher<'_, '_>) {
    let mut driver = full::<P>();
    let mut ids = CAPACITY.entries..;
    bencher.bench_local(|| {
        driver.insert(item(ids.next().expect("never ends")));
        for victim in driver.victims(0, 1) {
            driver.remove(victim);
        }
    });
}

fn full<P: Standard>() -> Driver<P> {
    let mut driver = Driver::new(P::standard());
    (0..CAPACITY.entries).for_each(|id| driver.insert(item(id)));
    driver
}

fn item(id: u64) -> Item {
    Item {
        id,
        key: id,
        bytes: 1000,
        cost_ms: 1,
    }
}
