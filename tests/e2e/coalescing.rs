//! Those who ask for the same at the same time share one answer in the making.

use deja_tests::{
    Answer, Api, Asked, Deja, Ending, Frames, Gate, PAIRS, Reply, Setup, Upstream, cache_status,
    eventually, long_question, streamed, whole,
};
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::Value;

const API: Api = Api::OpenAi;

async fn deja(
    api: Api,
    script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Upstream, Deja) {
    let upstream = Upstream::start(script).await;
    let deja = Setup::new(&upstream.backend(api)).start().await;
    (upstream, deja)
}

#[tokio::test]
async fn many_requests_cost_one_inference() {
    let deja = Deja::start().await;
    let mut request = long_question();
    request["max_tokens"] = 40.into();
    // The first is under way for sure, since its answer has begun.
    let first = deja.chat(&request).await;
    let others = join_all((0..5).map(|_| deja.chat(&request))).await;
    for other in &others {
        assert!(
            cache_status(other).contains("collapsed"),
            "{}",
            cache_status(other)
        );
    }
    let first = streamed(first).await;
    assert!(first.is_whole);
    for other in others {
        let other = streamed(other).await;
        assert_eq!((other.text(), other.is_whole), (first.text(), true));
    }
    let report = &deja.health().await["cache"];
    assert_eq!(
        (&report["misses"], &report["total_requests"]),
        (&1.into(), &6.into())
    );
}

#[tokio::test]
async fn fifty_requests_cost_one_of_the_upstream() {
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let held = gate.clone();
        let answer = Answer::text("All for one.");
        let script = move |asked: &_| upstream_api.reply(asked, &answer).after(&held);
        let (upstream, deja) = deja(upstream_api, script).await;
        let request = client.question("Are you all here?");
        let replies = join_all((0..50).map(|_| deja.send(client, &request)));
        let open = async {
            all_are_here(&deja, 50).await;
            gate.open();
        };
        let (replies, ()) = join(replies, open).await;
        let collapsed = replies
            .iter()
            .filter(|reply| cache_status(reply).contains("collapsed"));
        assert_eq!((collapsed.count(), upstream.count()), (49, 1));
        for reply in replies {
            assert_eq!(client.text(&whole(reply).await), "All for one.");
        }
    }
}

#[tokio::test]
async fn who_comes_late_gets_what_is_there_before_the_rest_has_come() {
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let reply = upstream_api.held_back(&Answer::text("one two three"), &gate);
        let (upstream, deja) = deja(upstream_api, move |_| reply.clone()).await;
        let request = client.streamed_question("Count.");
        let mut first = Frames::of(deja.send(client, &request).await);
        assert_eq!(first.next_text().await, "one ");
        let late = deja.send(client, &request).await;
        assert!(cache_status(&late).contains("collapsed"));
        let mut late = Frames::of(late);
        assert_eq!(late.next_text().await, "one ");
        gate.open();
        for stream in [first.rest().await, late.rest().await] {
            assert_eq!(
                (stream.text().as_str(), stream.is_whole),
                ("two three", true)
            );
        }
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test]
async fn who_wants_a_document_joins_a_stream() {
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let reply = upstream_api.held_back(&Answer::text("one two three"), &gate);
        let (upstream, deja) = deja(upstream_api, move |_| reply.clone()).await;
        let request = client.streamed_question("Count.");
        let mut first = Frames::of(deja.send(client, &request).await);
        first.next_text().await;
        let question = client.question("Count.");
        let document = async { deja.send(client, &question).await };
        let open = async {
            all_are_here(&deja, 2).await;
            gate.open();
        };
        let (document, ()) = join(document, open).await;
        assert!(cache_status(&document).contains("collapsed"));
        assert_eq!(client.text(&whole(document).await), "one two three");
        assert!(first.rest().await.is_whole);
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test]
async fn the_first_may_leave_and_the_others_are_answered() {
    let gate = Gate::closed();
    let reply = API.held_back(&Answer::text("one two three"), &gate);
    let (upstream, deja) = deja(API, move |_| reply.clone()).await;
    let request = API.streamed_question("Count.");
    let mut first = Frames::of(deja.send(API, &request).await);
    first.next_text().await;
    let late = deja.send(API, &request).await;
    drop(first);
    gate.open();
    let late = streamed(late).await;
    assert_eq!(
        (late.text().as_str(), late.is_whole),
        ("one two three", true)
    );
    assert_eq!(upstream.count(), 1);
    let again = deja.send(API, &request).await;
    assert!(cache_status(&again).contains("hit"));
}

#[tokio::test]
async fn nobody_waits_for_what_is_not_stored() {
    let (upstream, deja) = deja(API, |_| Reply::silence()).await;
    let request = deja
        .request(Method::POST, API.path())
        .header("cache-control", "no-store");
    let asking = request.json(&API.question("Anybody?")).send();
    tokio::select! {
        _ = asking => panic!("nobody answers"),
        () = upstream.wait_for(1) => {}
    }
    upstream.wait_for_deserted(1).await;
}

#[tokio::test]
async fn who_joined_a_failure_tries_again() {
    let gate = Gate::closed();
    let held = gate.clone();
    let script = move |asked: &Asked| match asked.number {
        0 => API.error(500, "not now").after(&held),
        _ => API.reply(asked, &Answer::text("Now.")),
    };
    let (upstream, deja) = deja(API, script).await;
    let request = API.question("Now?");
    let replies = join_all((0..8).map(|_| deja.send(API, &request)));
    let open = async {
        all_are_here(&deja, 8).await;
        gate.open();
    };
    let (replies, ()) = join(replies, open).await;
    let failed = replies.iter().filter(|reply| reply.status() == 500);
    assert_eq!(
        failed.count(),
        1,
        "the one that had asked gets its own error"
    );
    let answered = replies.iter().filter(|reply| reply.status() == 200);
    assert_eq!((answered.count(), upstream.count()), (7, 2));
}

#[tokio::test]
async fn a_failure_that_lasts_is_told_to_each_after_few_tries() {
    let gate = Gate::closed();
    let held = gate.clone();
    let script = move |_: &_| API.error(503, "not today").after(&held);
    let (upstream, deja) = deja(API, script).await;
    let request = API.question("Now?");
    let replies = join_all((0..50).map(|_| deja.send(API, &request)));
    let open = async {
        all_are_here(&deja, 50).await;
        gate.open();
    };
    let (replies, ()) = join(replies, open).await;
    assert!(replies.iter().all(|reply| reply.status() == 503));
    assert!(upstream.count() < 50, "{} tries", upstream.count());
    for reply in replies {
        let error: Value = reply.json().await.expect("an error is JSON");
        assert_eq!(error["error"]["message"], "not today");
    }
}

#[tokio::test]
async fn a_stream_that_fails_fails_for_all_who_follow_it() {
    let gate = Gate::closed();
    let frames = API.frames(&Answer::text("one two"), false);
    let begun = frames[..3].to_vec();
    let reply = Reply::frames(begun).wait(&gate).ending(Ending::Reset);
    let (_upstream, deja) = deja(API, move |_| reply.clone()).await;
    let request = API.streamed_question("Count.");
    let mut first = Frames::of(deja.send(API, &request).await);
    first.next_text().await;
    let mut late = Frames::of(deja.send(API, &request).await);
    late.next_text().await;
    gate.open();
    for stream in [first.rest().await, late.rest().await] {
        assert!(stream.has_failed(), "{stream:?}");
    }
    assert_eq!(deja.health().await["cache"]["cached_items"], 0);
}

/// Waits until this many requests are being answered.
async fn all_are_here(deja: &Deja, count: u32) {
    eventually("all requests", async || {
        deja.sample("deja_requests_in_flight").await >= f64::from(count)
    })
    .await;
}
