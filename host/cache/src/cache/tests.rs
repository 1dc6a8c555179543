use std::{
    sync::atomic::{AtomicBool, AtomicU32},
    thread,
};

use proptest::prelude::*;

use super::*;
use crate::{
    PolicyFailure,
    testing::{FakePolicy, cache, key, new_entry, ticket},
};

fn insert(cache: &Cache, number: u8) -> EntryId {
    cache.insert(new_entry(number, "Paris"));
    cache.entries.read()[&key(number)].facts.id
}

fn holds(cache: &Cache, number: u8) -> bool {
    cache.entries.read().contains_key(&key(number))
}

#[test]
fn what_was_stored_is_found_under_its_key_only() {
    let (_, cache) = cache(9);
    assert_eq!(cache.insert(new_entry(1, "Paris")), Stored::Yes);
    let entry = cache.lookup(&key(1), None).expect("it is held");
    assert_eq!(
        (&*entry.question.summary, entry.facts.cost_ms),
        ("q1", 2000)
    );
    assert_eq!(entry.hits(), 1);
    assert!(cache.lookup(&key(2), None).is_none());
    let gauges = cache.gauges();
    assert_eq!((gauges.entries, gauges.bytes), (1, entry.facts.bytes));
}

#[test]
fn the_policys_victim_leaves() {
    let (policy, cache) = cache(2);
    let (one, two) = (insert(&cache, 1), insert(&cache, 2));
    cache.lookup(&key(1), None);
    policy.0.lock().victims = vec![EntryId(u64::MAX), two, one];
    let three = insert(&cache, 3);
    assert_eq!(
        [1, 2, 3].map(|number| holds(&cache, number)),
        [true, false, true]
    );
    let story = [
        format!("insert {one}"),
        format!("insert {two}"),
        format!("hit {one}"),
        format!("insert {three}"),
        "victims for 0 bytes, 1 entries".to_owned(),
        format!("Evicted {two}"),
    ];
    assert_eq!(policy.told(), story);
    assert_eq!((cache.gauges().evictions, cache.host_evictions()), (1, 0));
}

#[test]
fn the_host_tops_up_with_the_least_recently_used() {
    let (_policy_without_victims, cache) = cache(2);
    insert(&cache, 1);
    insert(&cache, 2);
    cache.lookup(&key(1), None);
    insert(&cache, 3);
    assert_eq!(
        [1, 2, 3].map(|number| holds(&cache, number)),
        [true, false, true]
    );
    assert_eq!((cache.gauges().evictions, cache.host_evictions()), (1, 1));
}

#[test]
fn a_policy_that_lost_its_state_is_told_of_all_entries() {
    let (policy, cache) = cache(9);
    let one = insert(&cache, 1);
    policy.0.lock().fails = Some(PolicyFailure::Broken);
    let two = insert(&cache, 2);
    {
        let mut script = policy.0.lock();
        script.fails = None;
        script.told.clear();
    }
    let three = insert(&cache, 3);
    assert_eq!(
        policy.told(),
        [one, two, three].map(|id| format!("insert {id}"))
    );
}

#[test]
fn a_successor_restores_the_state_or_is_told_of_all_entries() {
    let (_, cache) = cache(9);
    let (one, two) = (insert(&cache, 1), insert(&cache, 2));
    let [knowing, ignorant] = [true, false].map(|restores| {
        let policy = FakePolicy::default();
        policy.0.lock().restores = restores;
        policy
    });
    cache.lookup(&key(1), None);
    cache.replace_eviction(Box::new(knowing.clone()));
    assert_eq!(knowing.told(), ["restore"]);
    cache.replace_eviction(Box::new(ignorant.clone()));
    let replayed = [
        "restore".to_owned(),
        format!("insert {two}"),
        format!("insert {one}"),
    ];
    assert_eq!(ignorant.told(), replayed);
}

#[test]
fn a_successor_whose_restore_fails_is_told_once_and_then_trusted() {
    let (_, cache) = cache(9);
    let one = insert(&cache, 1);
    let policy = FakePolicy::default();
    policy.0.lock().restore_traps = true;
    cache.replace_eviction(Box::new(policy.clone()));
    let two = insert(&cache, 2);
    assert_eq!(policy.told(), [one, two].map(|id| format!("insert {id}")));
}

#[test]
fn an_answer_that_outlived_its_time_is_gone() {
    let (policy, cache) = cache(9);
    let short = || NewEntry {
        ttl: Some(Duration::ZERO),
        ..new_entry(1, "Paris")
    };
    assert_eq!(cache.insert(short()), Stored::Yes);
    assert!(cache.lookup(&key(1), None).is_none());
    assert_eq!(cache.gauges().entries, 0);
    assert!(
        policy
            .told()
            .last()
            .is_some_and(|last| last.starts_with("Expired"))
    );
    cache.insert(short());
    insert(&cache, 2);
    assert_eq!((cache.sweep(), cache.gauges().entries), (1, 1));
}

#[test]
fn an_answer_older_than_asked_for_is_passed_over_and_stays() {
    let (_, cache) = cache(9);
    insert(&cache, 1);
    assert!(cache.lookup(&key(1), Some(Duration::ZERO)).is_none());
    assert!(
        cache
            .lookup(&key(1), Some(Duration::from_mins(1)))
            .is_some()
    );
}

#[test]
fn what_is_purged_is_gone_and_the_policy_knows() {
    let (policy, cache) = cache(9);
    let tagged = |number| NewEntry {
        tags: vec!["blue".to_owned()],
        ..new_entry(number, "Paris")
    };
    let ids = [1, 2, 3, 4].map(|number| {
        cache.insert(if number < 3 {
            tagged(number)
        } else {
            new_entry(number, "Paris")
        });
        cache.peek(&key(number)).expect("it is held").facts.id
    });
    policy.told();
    assert_eq!(cache.purge(&Purge::Key(key(4))), 1);
    assert_eq!(policy.told(), [format!("Purged {}", ids[3])]);
    assert_eq!(cache.purge(&Purge::Tag("blue".to_owned())), 2);
    assert_eq!(cache.purge(&Purge::Model("other".to_owned())), 0);
    assert_eq!(cache.purge(&Purge::Model("m".to_owned())), 1);
    assert_eq!(cache.purge(&Purge::All), 0);
    assert_eq!((cache.gauges().entries, cache.gauges().bytes), (0, 0));
}

#[test]
fn tighter_limits_take_hold_at_once() {
    let (_, cache) = cache(9);
    for number in 1..=4 {
        insert(&cache, number);
    }
    let capacity = Capacity {
        entries: 2,
        bytes: 1 << 20,
    };
    cache.set_limits(CacheLimits {
        capacity,
        ttl: None,
        max_share: None,
    });
    assert_eq!(cache.gauges().entries, 2);
    assert_eq!(cache.gauges().capacity_entries, 2);
}

/// An entry of one of two tenants.
fn owned(number: u8, tenant: &str) -> NewEntry {
    NewEntry {
        tenant: Some(Tenant::of([tenant.as_bytes()])),
        ..new_entry(number, "Paris")
    }
}

fn shared(entries: u64, max_share: f64) -> CacheLimits {
    let capacity = Capacity {
        entries,
        bytes: 1 << 20,
    };
    CacheLimits {
        capacity,
        ttl: None,
        max_share: Fraction::new(max_share),
    }
}

#[test]
fn who_has_more_than_a_share_evicts_its_own_oldest() {
    let (policy, cache) = cache(9);
    cache.set_limits(shared(8, 0.5));
    cache.insert(owned(0, "ada"));
    for number in 1..=4 {
        cache.insert(owned(number, "bob"));
    }
    cache.lookup(&key(1), None);
    policy.told();
    assert_eq!(cache.insert(owned(5, "bob")), Stored::Yes);
    assert!(holds(&cache, 0) && holds(&cache, 1) && !holds(&cache, 2));
    let told = policy.told();
    assert!(
        told.iter().all(|told| !told.starts_with("victims")),
        "{told:?}"
    );
    assert_eq!(cache.gauges().entries, 5);
    assert_eq!(cache.gauges().evictions, 1);
}

#[test]
fn a_smaller_share_takes_effect_at_once() {
    let (_, cache) = cache(9);
    for number in 0..6 {
        cache.insert(owned(number, "ada"));
    }
    insert(&cache, 6);
    cache.set_limits(shared(9, 0.34));
    assert_eq!(cache.gauges().entries, 3 + 1, "nobody's are no tenant's");
    cache.purge(&Purge::All);
    for number in 0..9 {
        cache.insert(owned(number, "ada"));
    }
    assert_eq!(cache.gauges().entries, 3);
}

#[test]
fn the_nearest_request_is_the_one_that_differs_least() {
    let (_, cache) = cache(9);
    insert(&cache, 1);
    insert(&cache, 2);
    let mut asked = cache.peek(&key(2)).and_then(|entry| entry.question.body());
    asked.as_mut().expect("it is kept")["temperature"] = 1.into();
    let asked = asked.expect("it is kept");
    let (entry, differences) = cache
        .nearest(deja_wire::Endpoint::ChatCompletions, &asked)
        .expect("there are two");
    assert_eq!(entry.key, key(2));
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].pointer, "/temperature");
}

#[test]
fn a_newer_answer_takes_the_olds_place() {
    let (policy, cache) = cache(9);
    let old = insert(&cache, 1);
    let new = insert(&cache, 1);
    assert_eq!(cache.gauges().entries, 1);
    let last = [format!("Replaced {old}"), format!("insert {new}")];
    assert!(policy.told().ends_with(&last));
}

#[test]
fn what_is_larger_than_the_cache_is_not_stored() {
    let (_, cache) = cache(9);
    let huge = "x".repeat(1 << 20);
    assert_eq!(cache.insert(new_entry(1, &huge)), Stored::TooLarge);
    assert_eq!(cache.gauges().bytes, 0);
}

proptest! {
    #[test]
    fn limits_hold_whatever_the_policy_says(
        steps in prop::collection::vec((any::<bool>(), 0_u8..12, 0_usize..400), 1..80),
        victims in prop::collection::vec(0_u64..40, 0..6),
        broken in any::<bool>(),
    ) {
        let policy = FakePolicy::default();
        let capacity = Capacity { entries: 5, bytes: 6000 };
        let cache = Cache::new(CacheLimits { capacity, ttl: None, max_share: None }, Box::new(policy.clone()));
        for (stores, number, length) in steps {
            {
                let mut script = policy.0.lock();
                script.fails = broken.then_some(PolicyFailure::Broken);
                script.victims = victims.iter().copied().map(EntryId).collect();
            }
            if stores {
                cache.insert(new_entry(number, &"x".repeat(length)));
            } else {
                cache.lookup(&key(number), None);
            }
            let gauges = cache.gauges();
            let held: u64 = cache.entries.read().values().map(|entry| entry.facts.bytes).sum();
            prop_assert_eq!(gauges.bytes, held);
            prop_assert!(gauges.entries <= capacity.entries && gauges.bytes <= capacity.bytes);
            prop_assert_eq!(cache.driver.lock().len() as u64, gauges.entries);
        }
    }
}

#[test]
fn what_was_asked_for_before_a_purge_is_not_stored_after_it() {
    for (purge, outcome) in [
        (Purge::All, Stored::Outdated),
        (Purge::Key(key(1)), Stored::Outdated),
        (Purge::Tag("t".to_owned()), Stored::Outdated),
        (Purge::Model("m".to_owned()), Stored::Outdated),
        (Purge::Key(key(2)), Stored::Yes),
        (Purge::Tag("u".to_owned()), Stored::Yes),
        (Purge::Model("n".to_owned()), Stored::Yes),
    ] {
        let (_, cache) = cache(9);
        let fetch = cache.begin_fetch(&ticket(1));
        cache.purge(&purge);
        let later = cache.begin_fetch(&ticket(1));
        let store = |fetch| cache.insert_fetched(new_entry(1, "Paris"), fetch);
        assert_eq!(store(&fetch), outcome, "{purge:?}");
        assert_eq!(store(&later), Stored::Yes);
    }
}

#[test]
fn a_purge_is_remembered_for_as_long_as_a_fetch_takes() {
    let (_, cache) = cache(9);
    let fetch = cache.begin_fetch(&ticket(1));
    cache.purge(&Purge::Key(key(1)));
    for _ in 0..2000 {
        cache.purge(&Purge::Key(key(2)));
        drop(cache.begin_fetch(&ticket(1)));
    }
    let outcome = cache.insert_fetched(new_entry(1, "Paris"), &fetch);
    assert_eq!(outcome, Stored::Outdated);
}

#[test]
fn no_fetch_from_before_a_purge_is_stored_by_another_thread() {
    let (_, cache) = cache(9);
    let (purges, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    let store = || {
        while !is_over.load(Ordering::SeqCst) {
            let fetch = cache.begin_fetch(&ticket(1));
            let began_after = purges.load(Ordering::SeqCst);
            let entry = NewEntry {
                cost: Duration::from_millis(began_after.into()),
                ..new_entry(1, "Paris")
            };
            cache.insert_fetched(entry, &fetch);
        }
    };
    let first_is_newer = |number: u32| {
        purges.store(number, Ordering::SeqCst);
        cache.purge(&Purge::All);
        loop {
            if let Some(first) = cache.peek(&key(1)) {
                return first.facts.cost_ms >= number;
            }
            thread::yield_now();
        }
    };
    let are_newer = thread::scope(|scope| {
        (0..2).for_each(|_| drop(scope.spawn(store)));
        let are_newer = (1..200).all(first_is_newer);
        is_over.store(true, Ordering::SeqCst);
        are_newer
    });
    assert!(are_newer);
}

#[test]
fn an_older_fetch_does_not_overwrite_a_newer_answer() {
    let (_, cache) = cache(9);
    let [older, newer] = [(); 2].map(|()| cache.begin_fetch(&ticket(1)));
    let store = |text, fetch| cache.insert_fetched(new_entry(1, text), fetch);
    assert_eq!(store("new", &newer), Stored::Yes);
    assert_eq!(store("old", &older), Stored::Outdated);
    let held = cache.peek(&key(1)).expect("it is held");
    assert_eq!(held.order, newer.order());
}
