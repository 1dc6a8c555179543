//! Plugin files that come and go under load: nothing is lost.

use std::{cell::Cell, fs, io::Write as _};

use deja_tests::{built, variant};

use crate::load::{API, Load, refresh, server, wait_for_loaded};

#[tokio::test]
async fn swaps_of_all_kinds_lose_no_request_and_no_count() {
    let (_upstream, deja) = server("").await;
    let answered = Load::during(&deja, async |_| {
        for number in 0..10 {
            refresh(&deja, "keyer", "exact", number).await;
            refresh(&deja, "eviction", "lru", number).await;
            refresh(&deja, "stats", "standard", number).await;
        }
    })
    .await;
    let cache = &deja.health().await["cache"];
    assert_eq!(cache["total_requests"], answered, "{cache}");
}

#[tokio::test]
async fn hits_go_on_across_swaps_of_eviction_and_stats() {
    let (_upstream, deja) = server("").await;
    deja.answer(API, "once").await;
    let (is_over, hits) = (Cell::new(false), Cell::new(0));
    let client = async {
        while !is_over.get() {
            let (status, _) = deja.answer(API, "once").await;
            assert!(status.contains("hit"), "{status}");
            hits.set(hits.get() + 1);
        }
    };
    let swaps = async {
        for number in 0..10 {
            refresh(&deja, "eviction", "lru", number).await;
            refresh(&deja, "stats", "standard", number).await;
        }
        is_over.set(true);
    };
    tokio::join!(client, swaps);
    let cache = &deja.health().await["cache"];
    assert_eq!(
        (&cache["hits"], &cache["misses"]),
        (&hits.get().into(), &1.into()),
        "{cache}"
    );
}

#[tokio::test]
async fn two_hundred_replacements_leave_the_last_one_loaded() {
    let (_upstream, deja) = server("").await;
    Load::during(&deja, async |load| {
        for number in 0..199 {
            deja.setup().drop_file("exact", &variant("exact", number));
            load.answers(10).await;
        }
        refresh(&deja, "keyer", "exact", 199).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_may_be_written_slowly() {
    let (_upstream, deja) = server("").await;
    Load::during(&deja, async |load| {
        let whole = built("ignore-case-and-space");
        let path = deja.setup().plugins().join("exact.wasm");
        let mut file = fs::File::create(path).expect("the file can be made");
        for piece in whole.chunks(1024) {
            file.write_all(piece).expect("it can be written");
            load.answers(50).await;
        }
        wait_for_loaded(&deja, "keyer", &whole).await;
    })
    .await;
}

#[tokio::test]
async fn the_folder_may_disappear_and_come_back() {
    let (_upstream, deja) = server("").await;
    Load::during(&deja, async |load| {
        refresh(&deja, "keyer", "exact", 1).await;
        let folder = deja.setup().plugins();
        fs::remove_dir_all(&folder).expect("the folder is there");
        load.answers(100).await;
        fs::create_dir(&folder).expect("it can be made again");
        refresh(&deja, "keyer", "exact", 2).await;
    })
    .await;
}
