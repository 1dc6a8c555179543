//! The requests of a trace, at their own pace or a scaled one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deja_trace::Record;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, value::RawValue};

use super::{load::Due, request::Request};

/// Starts of the names of headers that change an answer.
const TELLING: [&str; 2] = ["anthropic-", "openai-"];

/// What is due later than this is due by a broken clock.
const LATEST: Duration = Duration::from_hours(24 * 365);

/// How a trace is replayed.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How many times as fast as it was recorded.
    pub speed: f64,
    /// The model to ask in place of the recorded one.
    pub model: Option<String>,
}

/// How many records were of no use: broken ones, and those without a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skipped(Arc<AtomicU64>);

impl Skipped {
    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// When each request is due, for this many servers. The first is due at once, and so is what has no
/// time; where times run backwards, requests follow at once.
pub(crate) fn schedule<E>(
    records: impl Iterator<Item = Result<Record, E>>,
    pace: Pace,
    targets: usize,
    skipped: Skipped,
) -> impl Iterator<Item = Due> {
    let mut start = None;
    records.filter_map(move |record| {
        let due = record.ok().and_then(|record| {
            let request = request(&record, pace.model.as_deref())?;
            let requests = vec![request; targets];
            if record.at_ms == 0 {
                let at = Duration::ZERO;
                return Some(Due { at, requests });
            }
            let start = *start.get_or_insert(record.at_ms);
            let after = Duration::from_millis(record.at_ms.saturating_sub(start));
            let at = after.min(LATEST).div_f64(pace.speed);
            Some(Due { at, requests })
        });
        if due.is_none() {
            skipped.add_one();
        }
        due
    })
}

fn request(record: &Record, model: Option<&str>) -> Option<Request> {
    let body = record.body.as_deref().map(RawValue::get)?;
    if !body.starts_with('{') {
        return None;
    }
    let body = match model {
        None => body.to_owned(),
        Some(model) => {
            let mut body: Value = serde_json::from_str(body).ok()?;
            body["model"] = model.into();
            body.to_string()
        }
    };
    Some(Request {
        endpoint: record.endpoint,
        query: record.query.clone(),
        headers: headers(&record.headers),
        body: body.into(),
    })
}

fn headers(recorded: &[(String, String)]) -> HeaderMap {
    let tells = |name: &str| TELLING.iter().any(|start| name.starts_with(start));
    let telling = recorded.iter().filter(|(name, _)| tells(name));
    let header = |(name, value): &(String, String)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    };
    telling.filter_map(header).collect()
}

#[cfg(test)]
mod tests {
    use deja_wire::Endpoint;

    use super::*;

    fn record(at_ms: u64, body: &[u8]) -> Record {
        let mut record = Record::new(Endpoint::Messages, body);
        record.at_ms = at_ms;
        record.headers = vec![
            ("anthropic-beta".to_owned(), "x".to_owned()),
            ("host".to_owned(), "there".to_owned()),
        ];
        record
    }

    fn replayed(pace: Pace) -> (Vec<Due>, u64) {
        let records = [
            Ok(record(1000, b"{\"model\":\"a\"}")),
            Err(()),
            Ok(record(1400, b"no json")),
            Ok(record(1500, b"{\"model\":\"b\"}")),
            Ok(record(900, b"{}")),
            Ok(record(0, b"{}")),
            Ok(record(u64::MAX, b"{}")),
        ];
        let skipped = Skipped::default();
        let due = schedule(records.into_iter(), pace, 2, skipped.clone());
        (due.collect(), skipped.count())
    }

    #[test]
    fn requests_come_as_they_came_and_faster_if_wanted() {
        let pace = Pace {
            speed: 2.0,
            model: None,
        };
        let (due, skipped) = replayed(pace);
        let at: Vec<_> = due.iter().map(|due| due.at.as_millis()).collect();
        assert_eq!(at[..4], [0, 250, 0, 0]);
        assert_eq!((due[4].at, skipped), (LATEST / 2, 2));
        assert_eq!(due[0].requests.len(), 2);
        assert_eq!(due[0].requests[0].headers.len(), 1);
        assert_eq!(&due[1].requests[0].body[..], b"{\"model\":\"b\"}");
    }

    #[test]
    fn another_model_may_be_asked() {
        let (due, _) = replayed(Pace {
            speed: 1.0,
            model: Some("mine".to_owned()),
        });
        assert_eq!(&due[1].requests[0].body[..], b"{\"model\":\"mine\"}");
    }
}
