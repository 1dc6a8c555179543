//! Those who ask for the same at the same time share one inference.

use deja_tests::{Deja, cache_status, long_question, streamed};
use futures_util::future::join_all;

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
