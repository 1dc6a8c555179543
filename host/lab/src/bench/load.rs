//! Open-loop load: requests go out when they are due, whether or not the ones before were answered.
//!
//! A latency counts from the moment at which its request was due. A server that stalls delays what
//! comes after, and those who wait are counted with their whole wait: without that, a benchmark asks
//! least when the server is slowest (Gil Tene's "coordinated omission").

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    ask::{Answered, Failure, ask},
    request::{Question, Request, Shape},
    series::Series,
    target::Target,
};

/// A request for each server, and when it is due after the start.
pub(crate) struct Due {
    pub(crate) at: Duration,
    pub(crate) requests: Vec<Request>,
}

/// Requests at a steady rate.
#[derive(Clone, Debug)]
pub struct Steady {
    /// Requests a second.
    pub rate: f64,
    /// For how long.
    pub duration: Duration,
    /// How many different questions are asked in turn, in each shape.
    pub questions: usize,
    /// What they look like.
    pub shapes: Vec<Shape>,
    /// Fields of every request, besides those that its shape needs.
    pub fields: Map<String, Value>,
}

/// What came of a load on one server.
#[derive(Default)]
pub(crate) struct Loaded {
    /// The answers, by what the cache did; failures are with `error`.
    pub(crate) outcomes: BTreeMap<&'static str, Series>,
    /// From the start to the last answer.
    pub(crate) took: Duration,
}

impl Steady {
    /// The requests in their order.
    pub(crate) fn schedule(self, targets: &[Target]) -> impl Iterator<Item = Due> + Send + use<> {
        let questions = (0..self.questions).map(|_| Question::fresh());
        let questions: Vec<Vec<Request>> = questions
            .flat_map(|question| self.in_all_shapes(targets, &question))
            .collect();
        let due = move |number: u32| Due {
            at: Duration::from_secs_f64(f64::from(number) / self.rate),
            requests: questions[number as usize % questions.len()].clone(),
        };
        (0..).map(due).take_while(move |due| due.at < self.duration)
    }

    /// A request for each server, in each shape.
    fn in_all_shapes(&self, targets: &[Target], question: &Question) -> Vec<Vec<Request>> {
        let request = |shape: Shape, target: &Target| {
            shape.request(target.api(), target.model(), &self.fields, question)
        };
        let shapes = self.shapes.iter();
        shapes
            .map(|&shape| {
                targets
                    .iter()
                    .map(|target| request(shape, target))
                    .collect()
            })
            .collect()
    }
}

impl Loaded {
    pub(crate) fn all(&self) -> Series {
        let mut all = Series::default();
        for series in self.outcomes.values() {
            all.merge(series);
        }
        all
    }

    fn add(&mut self, outcome: &Result<Answered, Failure>) {
        let name = match outcome {
            Ok(answered) => answered.cache.status.name(),
            Err(_) => "error",
        };
        self.outcomes.entry(name).or_default().add(outcome);
    }
}

/// Asks as the schedule says, no more than `in_flight` at the same time; who waits for a place is
/// late, and is counted so.
pub(crate) async fn run(
    targets: &[Target],
    schedule: impl Iterator<Item = Due> + Send + 'static,
    in_flight: usize,
) -> Vec<Loaded> {
    let start = Instant::now();
    let mut due = clock(start, schedule);
    let places = Arc::new(Semaphore::new(in_flight));
    let mut under_way = JoinSet::new();
    let mut loaded: Vec<Loaded> = targets.iter().map(|_| Loaded::default()).collect();
    loop {
        tokio::select! {
            Some(Due { at, requests }) = due.recv() => {
                for (index, request) in requests.into_iter().enumerate() {
                    let (target, places) = (targets[index].clone(), places.clone());
                    under_way.spawn(async move {
                        let place = places.acquire().await;
                        let _place = place.expect("the semaphore is never closed");
                        (index, ask(&target, &request, start + at).await)
                    });
                }
            }
            Some(ended) = under_way.join_next() => {
                let (index, outcome) = ended.expect("asking does not panic");
                loaded[index].add(&outcome);
                loaded[index].took = start.elapsed();
            }
            else => return loaded,
        }
    }
}

/// Hands out what is due. A thread of its own sleeps more precisely than the runtime's timer, which
/// counts in milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the load goes by the clock, and by nothing that could be waited for"
)]
fn clock(
    start: Instant,
    schedule: impl Iterator<Item = Due> + Send + 'static,
) -> mpsc::UnboundedReceiver<Due> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for due in schedule {
            thread::sleep((start + due.at).saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_due_comes_in_its_order_and_not_too_soon() {
        let start = Instant::now();
        let schedule = [0, 5, 5, 9].map(|milliseconds| Due {
            at: Duration::from_millis(milliseconds),
            requests: Vec::new(),
        });
        let mut due = clock(start, schedule.into_iter());
        let mut came = Vec::new();
        while let Some(due) = due.recv().await {
            assert!(start.elapsed() >= due.at);
            came.push(due.at.as_millis());
        }
        assert_eq!(came, [0, 5, 5, 9]);
    }
}
