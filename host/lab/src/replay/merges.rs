//! Merge hits: hits on an answer to another request, which a keyer took for the same. Only they can
//! be false.

use std::collections::{BTreeMap, HashMap};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

use super::{agreement::Agreements, answers::Step, asked::Asked};

/// Pairs that are shown of those that differ.
const EXAMPLES: usize = 5;

/// The merge hits of one cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeHits {
    /// How their recorded answers compare.
    pub all: Agreements,
    /// The same for those in which a rule edited either request, by rule.
    pub by_rule: BTreeMap<String, Agreements>,
    /// Some of those that agree on no step, drawn at random.
    pub examples: Vec<Example>,
}

impl MergeHits {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.all.compared() + self.all.unverified()
    }
}

/// Two requests under one key whose answers differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// When the request came that got the other's answer.
    pub at_ms: u64,
    /// The beginning of its question.
    pub question: String,
    /// The beginning of its own answer.
    pub answer: String,
    /// When the other request came.
    pub stored_at_ms: u64,
    /// The beginning of its question.
    pub stored_question: String,
    /// The beginning of its answer.
    pub stored_answer: String,
    /// The rules that edited either.
    pub rules: Vec<String>,
}

/// Looks at the hits under the keys of keyer number `keyer`, each with the request that brought its
/// answer.
pub(super) fn merge_hits(
    asked: &[Asked],
    keyer: usize,
    hits: &[(u32, u32)],
    seed: u64,
) -> MergeHits {
    let mut merges = MergeHits::default();
    let mut differing = Sample::new(seed);
    for &(hit, by) in hits {
        let (hit, by) = (&asked[hit as usize], &asked[by as usize]);
        if hit.exact == by.exact {
            continue;
        }
        let rules = rules(hit, by, keyer);
        let verdict = compare(hit, by);
        verdict.count(&mut merges.all);
        for rule in &rules {
            verdict.count(merges.by_rule.entry(rule.clone()).or_default());
        }
        if verdict == Verdict::Compared(None) {
            differing.offer(|| example(hit, by, rules));
        }
    }
    merges.examples = differing.drawn;
    merges
}

/// How often the model itself answers the same request differently: each pair of successive answers
/// to one exact request.
pub(super) fn noise(asked: &[Asked]) -> Agreements {
    let mut noise = Agreements::default();
    let mut last = HashMap::new();
    for request in asked.iter().filter(|request| request.answer.is_some()) {
        if let Some(before) = last.insert(request.exact, request) {
            compare(request, before).count(&mut noise);
        }
    }
    noise
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Their answers were compared, and agree on a step or on none.
    Compared(Option<Step>),
    /// One of them has no answer of its own.
    Unverified,
}

impl Verdict {
    fn count(self, agreements: &mut Agreements) {
        match self {
            Self::Compared(agreement) => agreements.add(agreement),
            Self::Unverified => agreements.add_unverified(),
        }
    }
}

fn compare(one: &Asked, other: &Asked) -> Verdict {
    match (&one.answer, &other.answer) {
        (Some(one), Some(other)) => Verdict::Compared(one.agreement(other)),
        _ => Verdict::Unverified,
    }
}

fn rules(one: &Asked, other: &Asked, keyer: usize) -> Vec<String> {
    let both = [one, other].map(|request| &request.keyed[keyer].rules);
    let mut rules: Vec<_> = both.into_iter().flatten().cloned().collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn example(hit: &Asked, by: &Asked, rules: Vec<String>) -> Example {
    Example {
        at_ms: hit.at_ms,
        question: hit.question.to_string(),
        answer: hit.words.to_string(),
        stored_at_ms: by.at_ms,
        stored_question: by.question.to_string(),
        stored_answer: by.words.to_string(),
        rules,
    }
}

/// A few of many, each as likely as the others: Vitter's algorithm R.
struct Sample {
    random: StdRng,
    offered: usize,
    drawn: Vec<Example>,
}

impl Sample {
    fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            offered: 0,
            drawn: Vec::new(),
        }
    }

    fn offer(&mut self, example: impl FnOnce() -> Example) {
        self.offered += 1;
        if self.drawn.len() < EXAMPLES {
            self.drawn.push(example());
            return;
        }
        let place = self.random.random_range(0..self.offered);
        if let Some(drawn) = self.drawn.get_mut(place) {
            *drawn = example();
        }
    }
}
