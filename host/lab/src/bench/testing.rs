//! Measurements that were never made.

use std::time::Duration;

use super::{
    ask::Answered,
    cache_status::{CacheSaid, CacheStatus},
    rounds::{Measured, Phase},
    series::Series,
};

/// An answer of 10 tokens that took this many milliseconds, and half of them to its first token.
pub(crate) fn answered(milliseconds: u64, said: &str) -> Answered {
    let status = match said {
        "hit" => CacheStatus::Hit,
        "stored" => CacheStatus::Miss { stored: true },
        "miss" => CacheStatus::Miss { stored: false },
        "unknown" => CacheStatus::Unknown,
        said => panic!("{said} is no status of the tests"),
    };
    let latency = Duration::from_millis(milliseconds);
    Answered {
        first_token: latency / 2,
        latency,
        output_tokens: 10,
        cache: CacheSaid { status, key: None },
    }
}

fn said(status: CacheStatus, key: Option<&str>) -> Answered {
    let key = key.map(str::to_owned);
    Answered {
        cache: CacheSaid { status, key },
        ..answered(5, "miss")
    }
}

/// A miss under this key.
pub(crate) fn keyed(key: &str) -> Answered {
    said(CacheStatus::Miss { stored: true }, Some(key))
}

/// An answer past the cache.
pub(crate) fn bypassed(reason: &str) -> Answered {
    let reason = reason.to_owned();
    said(CacheStatus::Bypass { reason }, None)
}

/// Answers that took this many milliseconds each.
pub(crate) fn series(milliseconds: &[u64], said: &str) -> Series {
    let mut series = Series::default();
    for &milliseconds in milliseconds {
        series.add(&Ok(answered(milliseconds, said)));
    }
    series
}

/// One round in which all first answers are one, and all repeated ones another.
pub(crate) fn measured(cold: &Answered, warm: &Answered) -> Measured {
    let mut measured = Measured::default();
    measured.add(&[
        (Phase::First, Ok(cold.clone())),
        (Phase::Repeat, Ok(warm.clone())),
        (Phase::Different, Ok(cold.clone())),
        (Phase::Back, Ok(warm.clone())),
    ]);
    measured
}
