//! The benchmark itself: rounds of questions, each asked as if for the first time, and again.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    ask::{Answered, Failure, ask},
    cache_status::CacheStatus,
    request::{Question, Shape},
    series::Series,
    target::Target,
};

/// What is asked, and how often.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// The shapes of the requests.
    pub shapes: Vec<Shape>,
    /// Rounds for each shape. Every round has questions of its own.
    pub samples: usize,
    /// How often a round's first question is asked again at once.
    pub repeats: usize,
    /// Rounds at the same time.
    pub concurrency: usize,
    /// Fields of every request, besides those that its shape needs.
    pub fields: Map<String, Value>,
}

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// A question that nobody has asked before.
    First,
    /// The same again.
    Repeat,
    /// Another question that nobody has asked before.
    Different,
    /// The first question again.
    Back,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::First, Self::Repeat, Self::Different, Self::Back];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Repeat => "repeat",
            Self::Different => "different",
            Self::Back => "back",
        }
    }
}

/// What one server did with requests of one shape.
#[derive(Clone, Default)]
pub(crate) struct Measured {
    phases: [Series; 4],
    /// Repeats whose key was not that of the first.
    pub(crate) strayed: u64,
}

impl Measured {
    pub(crate) fn phase(&self, phase: Phase) -> &Series {
        &self.phases[phase as usize]
    }

    /// All questions that were asked for the first time.
    pub(crate) fn cold(&self) -> Series {
        self.both(Phase::First, Phase::Different)
    }

    /// All that were asked again.
    pub(crate) fn warm(&self) -> Series {
        self.both(Phase::Repeat, Phase::Back)
    }

    fn both(&self, one: Phase, other: Phase) -> Series {
        let mut both = self.phase(one).clone();
        both.merge(self.phase(other));
        both
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (series, others) in self.phases.iter_mut().zip(&other.phases) {
            series.merge(others);
        }
        self.strayed += other.strayed;
    }

    /// Takes in what became of one round, in order.
    pub(crate) fn add(&mut self, round: &[(Phase, Result<Answered, Failure>)]) {
        let key = |outcome: &Result<Answered, Failure>| match outcome {
            Ok(answered) if !matches!(answered.cache.status, CacheStatus::Bypass { .. }) => {
                answered.cache.key.clone()
            }
            _ => None,
        };
        let mut first_key = None;
        for (phase, outcome) in round {
            self.phases[*phase as usize].add(outcome);
            let key = key(outcome);
            match phase {
                Phase::First => first_key = key,
                Phase::Repeat | Phase::Back => {
                    let differs = first_key.is_some() && key.is_some() && first_key != key;
                    self.strayed += u64::from(differs);
                }
                Phase::Different => {}
            }
        }
    }
}

/// Measures the servers side by side: each step of a round is made on all of them before the next.
/// Tells after each round that one more of all is done. Gives what came of each shape, for each
/// server.
pub(crate) async fn run(
    targets: &[Target],
    settings: &Settings,
    done: impl Fn(),
) -> Vec<Vec<Measured>> {
    let mut measured = vec![Vec::new(); targets.len()];
    for shape in &settings.shapes {
        let mut of_shape = vec![Measured::default(); targets.len()];
        let rounds = (0..settings.samples).map(|number| round(targets, settings, *shape, number));
        let mut rounds = stream::iter(rounds).buffer_unordered(settings.concurrency);
        while let Some(round) = rounds.next().await {
            for (measured, steps) in of_shape.iter_mut().zip(&round) {
                measured.add(steps);
            }
            done();
        }
        for (measured, of_shape) in measured.iter_mut().zip(of_shape) {
            measured.push(of_shape);
        }
    }
    measured
}

/// What became of a round's steps, for each server.
type Round = Vec<Vec<(Phase, Result<Answered, Failure>)>>;

async fn round(targets: &[Target], settings: &Settings, shape: Shape, number: usize) -> Round {
    let (question, other) = (Question::fresh(), Question::fresh());
    let mut round: Round = targets.iter().map(|_| Vec::new()).collect();
    let repeats = std::iter::repeat_n(Phase::Repeat, settings.repeats);
    let steps = std::iter::once(Phase::First)
        .chain(repeats)
        .chain([Phase::Different, Phase::Back]);
    for (step, phase) in steps.enumerate() {
        let question = if phase == Phase::Different {
            &other
        } else {
            &question
        };
        for turn in 0..targets.len() {
            // Nobody is always the first.
            let at = (turn + step + number) % targets.len();
            let target = &targets[at];
            let request = shape.request(target.api(), target.model(), &settings.fields, question);
            let outcome = ask(target, &request, Instant::now()).await;
            round[at].push((phase, outcome));
        }
    }
    round
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::testing::{answered, keyed};

    #[test]
    fn a_round_is_told_apart_by_its_phases() {
        let mut measured = Measured::default();
        measured.add(&[
            (Phase::First, Ok(answered(100, "stored"))),
            (Phase::Repeat, Ok(answered(1, "hit"))),
            (Phase::Repeat, Err(Failure::BrokeOff)),
            (Phase::Different, Ok(answered(200, "stored"))),
            (Phase::Back, Ok(answered(3, "hit"))),
        ]);
        assert_eq!(measured.cold().mean_latency(), Some(150.0));
        assert_eq!(measured.warm().mean_latency(), Some(2.0));
        assert_eq!(measured.phase(Phase::Repeat).errors().len(), 1);
        assert_eq!(measured.strayed, 0);
    }

    #[test]
    fn a_repeat_with_another_key_has_strayed() {
        let mut measured = Measured::default();
        measured.add(&[
            (Phase::First, Ok(keyed("a"))),
            (Phase::Repeat, Ok(keyed("a"))),
            (Phase::Repeat, Ok(keyed("b"))),
            (Phase::Different, Ok(keyed("c"))),
            (Phase::Back, Ok(keyed("d"))),
        ]);
        assert_eq!(measured.strayed, 2);
    }
}
