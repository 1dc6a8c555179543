//! Whether the cache works, and if it does not, why.

use std::fmt;

use serde::Serialize;

use super::{rounds::Measured, series::Series};
use crate::{
    live::{Live, Plugin},
    units,
};

/// How much faster a repeat has to be for the cache to be working.
const WORKING: f64 = 10.0;

/// How much faster a repeat has to be for there to be a cache at all. What the server itself keeps
/// of a prompt makes repeats somewhat faster without any.
const SOMETHING: f64 = 2.0;

/// What the benchmark found.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// In one word.
    pub state: State,
    /// How many times as long a first request takes as a repeated one, on average.
    pub speed_up: Option<f64>,
    /// What stands in the way, likeliest first.
    pub causes: Vec<Cause>,
}

/// Whether the cache works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Repeats are 10 times as fast, or more.
    Working,
    /// Repeats are faster, or some are answered by the cache.
    Degraded,
    /// Repeats are about as slow as the first.
    NotWorking,
}

/// What stands in the way of a cache that works.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Cause {
    /// Requests failed.
    Errors {
        /// How many.
        count: u64,
        /// Out of how many.
        of: u64,
        /// What went wrong most often.
        most: String,
    },
    /// A keyer wanted the cache left out, or failed.
    Bypassed {
        /// How often.
        count: u64,
        /// The most frequent reason.
        reason: String,
    },
    /// Equal requests had different keys.
    KeysDiffer {
        /// How many repeats.
        count: u64,
    },
    /// The server was asked for new answers.
    AskedAnew {
        /// How often.
        count: u64,
    },
    /// Answers left the cache while the benchmark ran.
    Evicted {
        /// How many.
        count: u64,
        /// How many are held.
        held: u64,
    },
    /// A plugin fails.
    PluginFails {
        /// What it decides.
        kind: String,
        /// Its name.
        name: String,
        /// What was wrong last.
        error: String,
    },
    /// Repeats were answered by the model, for no reason that shows.
    Missed {
        /// How many.
        count: u64,
        /// Out of how many.
        of: u64,
    },
    /// New questions were answered by the cache: a keyer takes them for others.
    NotCold {
        /// How many.
        count: u64,
    },
    /// The cache answers, and the model is nearly as fast.
    FastModel {
        /// Milliseconds that a first answer takes.
        first_ms: f64,
    },
    /// The server does not say that it has a cache.
    NoCache,
}

impl Verdict {
    /// Judges all shapes together; `before` and `after` are what the server said of itself.
    pub(crate) fn judge(measured: &Measured, before: Option<&Live>, after: Option<&Live>) -> Self {
        let (cold, warm) = (measured.cold(), measured.warm());
        let speed_up = speed_up(cold.mean_latency(), warm.mean_latency());
        let state = match speed_up {
            Some(WORKING..) => State::Working,
            Some(SOMETHING..) => State::Degraded,
            _ if warm.said("hit") > 0 => State::Degraded,
            _ => State::NotWorking,
        };
        let mut causes = Vec::new();
        causes.extend(errors(&cold, &warm));
        if state != State::Working {
            causes.extend(server_said(measured, &cold, &warm));
            if let (Some(before), Some(after)) = (before, after) {
                causes.extend(server_knows(before, after));
            }
            if causes.is_empty() {
                causes.extend(unexplained(&cold, &warm));
            }
        }
        Self {
            state,
            speed_up,
            causes,
        }
    }
}

/// How many times as long the first takes as the second.
pub(crate) fn speed_up(cold: Option<f64>, warm: Option<f64>) -> Option<f64> {
    let (cold, warm) = (cold?, warm?);
    (warm > 0.0).then(|| cold / warm)
}

fn errors(cold: &Series, warm: &Series) -> Option<Cause> {
    let mut all = cold.clone();
    all.merge(warm);
    let count = all.errors().values().sum();
    let (most, _) = all.errors().iter().max_by_key(|(_, count)| **count)?;
    Some(Cause::Errors {
        count,
        of: count + all.answers(),
        most: most.clone(),
    })
}

/// What the answers' own `Cache-Status` tells.
fn server_said(measured: &Measured, cold: &Series, warm: &Series) -> Vec<Cause> {
    let bypassed = warm.bypasses().iter().max_by_key(|(_, count)| **count);
    let counted = |count: u64, cause: fn(u64) -> Cause| (count > 0).then(|| cause(count));
    [
        bypassed.map(|(reason, _)| Cause::Bypassed {
            count: warm.said("bypass"),
            reason: reason.clone(),
        }),
        counted(measured.strayed, |count| Cause::KeysDiffer { count }),
        counted(warm.said("request"), |count| Cause::AskedAnew { count }),
        counted(cold.said("hit"), |count| Cause::NotCold { count }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the server's own statistics tell.
fn server_knows(before: &Live, after: &Live) -> Vec<Cause> {
    let evicted = after.evictions.saturating_sub(before.evictions);
    let evicted = (evicted > 0).then_some(Cause::Evicted {
        count: evicted,
        held: after.entries,
    });
    let fails = |plugin: &&Plugin| {
        let known = |known: &&Plugin| (&known.kind, &known.name) == (&plugin.kind, &plugin.name);
        let failures = before.plugins.iter().find(known);
        let more = plugin.failures > failures.map_or(0, |plugin| plugin.failures);
        more || plugin.breaker != "closed"
    };
    let failing = after.plugins.iter().filter(fails);
    let failing = failing.map(|plugin| Cause::PluginFails {
        kind: plugin.kind.clone(),
        name: plugin.name.clone(),
        error: plugin.last_error.clone().unwrap_or_default(),
    });
    evicted.into_iter().chain(failing).collect()
}

/// What is left to say where nothing stands in the way.
fn unexplained(cold: &Series, warm: &Series) -> Option<Cause> {
    let (hits, of) = (warm.said("hit"), warm.answers());
    if of == 0 {
        None
    } else if warm.said("unknown") == of {
        Some(Cause::NoCache)
    } else if hits < of {
        let count = of - hits;
        Some(Cause::Missed { count, of })
    } else {
        let first_ms = cold.mean_latency()?;
        Some(Cause::FastModel { first_ms })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Working => "working",
            Self::Degraded => "degraded",
            Self::NotWorking => "not working",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { count, of, most } => {
                write!(f, "{count} of {of} requests failed, most often so: {most}")
            }
            Self::Bypassed { count, reason } => {
                write!(f, "the cache was left out of {count} repeats: {reason}")
            }
            Self::KeysDiffer { count } => write!(
                f,
                "{count} repeats had another key than the first: a keyer's answer varies, or \
                 something in between changes headers or credentials"
            ),
            Self::AskedAnew { count } => write!(
                f,
                "{count} repeats reached the server with a wish for a new answer (Cache-Control)"
            ),
            Self::Evicted { count, held } => write!(
                f,
                "the cache is full: {count} answers had to leave, {held} are held"
            ),
            Self::PluginFails { kind, name, error } => {
                write!(f, "the {kind} plugin {name} fails: {error}")
            }
            Self::Missed { count, of } => write!(
                f,
                "{count} of {of} repeats were no hits: their answers were not stored, or expired"
            ),
            Self::NotCold { count } => write!(
                f,
                "{count} new questions were answered by the cache: a keyer takes them for others"
            ),
            Self::FastModel { first_ms } => write!(
                f,
                "all repeats were hits; a first answer takes no more than {}",
                units::time(*first_ms)
            ),
            Self::NoCache => f.write_str(
                "the server does not say that it has a cache (there is no Cache-Status)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::testing::{answered, bypassed, keyed, measured};

    fn judge(measured: &Measured) -> (State, Vec<Cause>) {
        let verdict = Verdict::judge(measured, None, None);
        (verdict.state, verdict.causes)
    }

    #[test]
    fn ten_times_as_fast_is_working() {
        let (state, causes) = judge(&measured(&answered(1000, "stored"), &answered(100, "hit")));
        assert_eq!((state, causes), (State::Working, vec![]));
    }

    #[test]
    fn a_server_without_a_cache_is_not_working() {
        let (state, causes) = judge(&measured(
            &answered(100, "unknown"),
            &answered(90, "unknown"),
        ));
        assert_eq!((state, causes), (State::NotWorking, vec![Cause::NoCache]));
    }

    #[test]
    fn hits_before_a_fast_model_are_degraded() {
        let (state, causes) = judge(&measured(&answered(3, "stored"), &answered(2, "hit")));
        let cause = Cause::FastModel { first_ms: 3.0 };
        assert_eq!((state, causes), (State::Degraded, vec![cause]));
    }

    #[test]
    fn what_the_answers_tell_is_a_cause() {
        let reason = "keyer x: it trapped";
        let (state, causes) = judge(&measured(&bypassed(reason), &bypassed(reason)));
        assert_eq!(state, State::NotWorking);
        let (count, reason) = (2, reason.to_owned());
        assert_eq!(causes, [Cause::Bypassed { count, reason }]);

        let mut strayed = Measured::default();
        strayed.add(&[
            (crate::bench::Phase::First, Ok(keyed("a"))),
            (crate::bench::Phase::Repeat, Ok(keyed("b"))),
        ]);
        assert_eq!(judge(&strayed).1, [Cause::KeysDiffer { count: 1 }]);

        let (_, causes) = judge(&measured(&answered(5, "hit"), &answered(5, "hit")));
        assert_eq!(causes, [Cause::NotCold { count: 2 }]);
        let (_, causes) = judge(&measured(&answered(5, "stored"), &answered(5, "stored")));
        assert_eq!(causes, [Cause::Missed { count: 2, of: 2 }]);
    }

    #[test]
    fn what_the_server_knows_is_a_cause() {
        let plugin = |failures| Plugin {
            kind: "keyer".to_owned(),
            name: "mine".to_owned(),
            calls: 9,
            busy_us: 0,
            failures,
            last_error: Some("it trapped".to_owned()),
            breaker: "closed".to_owned(),
            rejected: None,
        };
        let live = |evictions, failures| Live {
            evictions,
            entries: 2,
            plugins: vec![plugin(failures)],
            ..Live::default()
        };
        let slow = measured(&answered(5, "stored"), &answered(5, "stored"));
        let (before, after) = (live(1, 3), live(4, 5));
        let verdict = Verdict::judge(&slow, Some(&before), Some(&after));
        let texts: Vec<_> = verdict.causes.iter().map(Cause::to_string).collect();
        assert_eq!(
            texts,
            [
                "the cache is full: 3 answers had to leave, 2 are held",
                "the keyer plugin mine fails: it trapped"
            ]
        );
        let calm = Verdict::judge(&slow, Some(&before), Some(&before));
        assert_eq!(calm.causes, [Cause::Missed { count: 2, of: 2 }]);
    }

    #[test]
    fn errors_are_told_even_of_a_cache_that_works() {
        let mut measured = measured(&answered(1000, "stored"), &answered(1, "hit"));
        let failed = Err(super::super::ask::Failure::BrokeOff);
        measured.add(&[(crate::bench::Phase::Repeat, failed)]);
        let (state, causes) = judge(&measured);
        assert_eq!(state, State::Working);
        assert_eq!(
            causes[0].to_string(),
            "1 of 5 requests failed, most often so: the answer broke off"
        );
    }
}
