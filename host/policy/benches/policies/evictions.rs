//! Eviction policies: hits, and an entry that comes in while another leaves.

use deja_cache::{EntryFacts, EntryId, Eviction, HIT_BATCH, RemovalCause};
use deja_eviction::{
    Capacity, Driver, Fifo, Gdsf, Item, Lru, Policy, S3Fifo, Shares, Sieve, WTinyLfu,
};
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::{ENTRIES, policies};

const POLICIES: [&str; 6] = ["fifo", "gdsf", "lru", "s3-fifo", "sieve", "w-tinylfu"];

#[divan::bench(args = POLICIES)]
fn one_hit(bencher: Bencher<'_, '_>, name: &str) {
    hits(bencher, full(name), 1);
}

#[divan::bench(args = POLICIES)]
fn one_hit_natively(bencher: Bencher<'_, '_>, name: &str) {
    hits_natively(bencher, full_natively(name), 1);
}

#[divan::bench(args = POLICIES)]
fn a_batch_of_hits(bencher: Bencher<'_, '_>, name: &str) {
    hits(bencher, full(name), HIT_BATCH);
}

#[divan::bench(args = POLICIES)]
fn a_batch_of_hits_natively(bencher: Bencher<'_, '_>, name: &str) {
    hits_natively(bencher, full_natively(name), HIT_BATCH);
}

#[divan::bench(args = POLICIES)]
fn insert_and_evict(bencher: Bencher<'_, '_>, name: &str) {
    let mut policy = full(name);
    let mut ids = ENTRIES..;
    bencher.counter(ItemsCount::new(2_u32)).bench_local(|| {
        let id = ids.next().expect("never ends");
        policy.on_insert(&entry(id)).expect("inserts");
        for victim in policy.victims(0, 1).expect("chooses") {
            policy
                .on_remove(victim, RemovalCause::Evicted)
                .expect("removes");
        }
    });
}

#[divan::bench(args = POLICIES)]
fn insert_and_evict_natively(bencher: Bencher<'_, '_>, name: &str) {
    let mut policy = full_natively(name);
    let mut ids = ENTRIES..;
    bencher.counter(ItemsCount::new(2_u32)).bench_local(|| {
        policy.insert(item(ids.next().expect("never ends")));
        for victim in policy.victims(0, 1) {
            policy.remove(victim);
        }
    });
}

fn hits(bencher: Bencher<'_, '_>, mut policy: Box<dyn Eviction>, count: usize) {
    let ids: Vec<_> = used(count).map(EntryId).collect();
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| policy.on_hit(&ids).expect("takes the hits"));
}

fn hits_natively(bencher: Bencher<'_, '_>, mut policy: Box<dyn Native>, count: usize) {
    let ids: Vec<_> = used(count).collect();
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| policy.hit(&ids));
}

fn used(count: usize) -> impl Iterator<Item = u64> {
    (0..ENTRIES)
        .map(|number| number * 7 % ENTRIES)
        .cycle()
        .take(count)
}

/// A policy that knows as many entries as the cache may hold.
fn full(name: &str) -> Box<dyn Eviction> {
    let mut policy = policies("exact", name).eviction;
    for id in 0..ENTRIES {
        policy.on_insert(&entry(id)).expect("inserts");
    }
    policy
}

fn full_natively(name: &str) -> Box<dyn Native> {
    let mut policy = natively(name);
    (0..ENTRIES).for_each(|id| policy.insert(item(id)));
    policy
}

/// A policy of any kind, without WebAssembly.
trait Native {
    fn insert(&mut self, item: Item);
    fn hit(&mut self, ids: &[u64]);
    fn remove(&mut self, id: u64);
    fn victims(&mut self, bytes: u64, entries: u64) -> Vec<u64>;
}

impl<P: Policy> Native for Driver<P> {
    fn insert(&mut self, item: Item) {
        Driver::insert(self, item);
    }

    fn hit(&mut self, ids: &[u64]) {
        Driver::hit(self, ids);
    }

    fn remove(&mut self, id: u64) {
        Driver::remove(self, id);
    }

    fn victims(&mut self, bytes: u64, entries: u64) -> Vec<u64> {
        Driver::victims(self, bytes, entries)
    }
}

/// The policy of this name with its plugin's default settings.
fn natively(name: &str) -> Box<dyn Native> {
    let capacity = Capacity {
        entries: ENTRIES,
        bytes: 1 << 30,
    };
    match name {
        "fifo" => Box::new(Driver::new(Fifo::default())),
        "gdsf" => Box::new(Driver::new(Gdsf::default())),
        "lru" => Box::new(Driver::new(Lru::default())),
        "s3-fifo" => Box::new(Driver::new(S3Fifo::new(capacity, 0.1))),
        "sieve" => Box::new(Driver::new(Sieve::default())),
        "w-tinylfu" => Box::new(Driver::new(WTinyLfu::new(capacity, Shares::default()))),
        other => unreachable!("{other} is no policy"),
    }
}

fn entry(id: u64) -> EntryFacts {
    EntryFacts {
        id: EntryId(id),
        key: id,
        bytes: 1000,
        cost_ms: 1,
        prompt_tokens: 1,
        output_tokens: 1,
        at_ms: id,
    }
}

fn item(id: u64) -> Item {
    Item {
        id,
        key: id,
        bytes: 1000,
        cost_ms: 1,
    }
}
