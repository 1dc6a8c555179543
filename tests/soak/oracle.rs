//! Knows the right answer of each request, and judges what came instead.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use deja_tests::Api;
use serde_json::Value;

use crate::{
    fault::{Fault, PAGE},
    question::{Question, Spelling, Target},
    reply::{Reply, shortened},
    said::Said,
};

/// How long after the worker was killed a request may fail for it: as long as it may wait for the
/// next worker.
const RESTART: Duration = Duration::from_mins(3);

/// Statuses and words with which the server declines to ask a backend.
const DECLINED: [(u16, &str); 2] = [(504, "no answer is held"), (503, "places are taken")];

/// How many answers of the engine to one question are known at most.
const ANSWERS: usize = 8;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It got its right answer.
    Right,
    /// It failed as it was planned.
    Planned,
    /// Its client left.
    Left,
    /// All places were taken, or nothing was held where only that was wanted.
    Declined,
    /// It got another answer.
    Wrong(String),
    /// It got neither its answer nor an error that was planned.
    Lost(String),
}

/// Knows all right answers.
#[derive(Default)]
pub(crate) struct Oracle {
    /// What the engine has answered to each question so far.
    engine: Mutex<BTreeMap<String, Vec<Said>>>,
    /// When its worker was killed, the last times.
    kills: Mutex<VecDeque<Instant>>,
}

impl Oracle {
    /// Notes that the worker is being killed.
    pub(crate) fn killed(&self) {
        let mut kills = self.kills.lock().expect("nobody panics with it");
        kills.push_back(Instant::now());
        if kills.len() > 8 {
            kills.pop_front();
        }
    }

    /// How many questions the engine has answered in more than one way.
    pub(crate) fn ambiguous(&self) -> usize {
        let engine = self.engine.lock().expect("nobody panics with it");
        engine.values().filter(|answers| answers.len() > 1).count()
    }

    /// Judges the reply to a question that was asked at some time.
    pub(crate) fn judge(
        &self,
        question: &Question,
        spelling: Spelling,
        asked: Instant,
        reply: &Reply,
    ) -> Verdict {
        let said = Said::of(question.call, reply);
        if reply.left {
            return judge_part(question, &said);
        }
        match self.failure(question, asked, reply) {
            // What came before the failure must be right too.
            Some(Verdict::Planned) => match judge_part(question, &said) {
                Verdict::Left => Verdict::Planned,
                wrong => wrong,
            },
            Some(verdict) => verdict,
            None if question.target == Target::Engine => self.judge_engine(question, reply, said),
            None => judge_scripted(question, spelling, &said),
        }
    }

    /// The verdict on a reply that is no whole answer.
    fn failure(&self, question: &Question, asked: Instant, reply: &Reply) -> Option<Verdict> {
        if reply.is_whole() {
            return None;
        }
        let document = reply.document().unwrap_or_default();
        if reply.status != 200 && !is_told(question, &document) {
            return Some(Verdict::Lost(format!(
                "no error of the API: {}",
                reply.shown()
            )));
        }
        let message = document["error"]["message"].as_str().unwrap_or_default();
        let declines = |(status, words)| reply.status == status && message.contains(words);
        if DECLINED.into_iter().any(declines) {
            return Some(Verdict::Declined);
        }
        let is_planned = match (question.target, question.fault) {
            (Target::Engine, _) => self.may_lack_a_worker(asked),
            (_, Some(fault)) if reply.status != 200 => fault.statuses().contains(&reply.status),
            (_, Some(Fault::Page)) => reply.body == PAGE,
            // What is no answer is passed on as it came.
            (_, Some(Fault::Garbled)) if !reply.is_stream => reply.document().is_none(),
            (_, fault) => fault.is_some() && reply.is_stream,
        };
        Some(if is_planned {
            Verdict::Planned
        } else {
            Verdict::Lost(reply.shown())
        })
    }

    /// Whether the worker was killed while a request waited, or not long before.
    fn may_lack_a_worker(&self, asked: Instant) -> bool {
        let kills = self.kills.lock().expect("nobody panics with it");
        kills.iter().any(|&kill| kill + RESTART > asked)
    }

    /// The first answer is the right one; one that is computed again may differ where two tokens
    /// are equally likely, but a hit must be one that was given before.
    fn judge_engine(&self, question: &Question, reply: &Reply, said: Said) -> Verdict {
        let mut engine = self.engine.lock().expect("nobody panics with it");
        let known = engine.entry(question.identity()).or_default();
        if known.iter().any(|answer| agree(answer, &said)) {
            return Verdict::Right;
        }
        if !known.is_empty() && reply.cache_status.contains("hit") {
            return Verdict::Wrong(format!(
                "a hit of {} known answers: {}",
                known.len(),
                shown(&said)
            ));
        }
        if known.len() == ANSWERS {
            return Verdict::Wrong(format!("one answer too many: {}", shown(&said)));
        }
        known.push(said);
        Verdict::Right
    }
}

/// Whether an error is told in the form of the client's API.
fn is_told(question: &Question, document: &Value) -> bool {
    let error = &document["error"];
    let has_kind = error["type"].is_string() && error["message"].is_string();
    has_kind && (question.call.api() == Api::OpenAi || document["type"] == "error")
}

/// Whom the upstream may take for the caller: where the APIs differ, the key may not have passed.
fn callers(question: &Question) -> impl Iterator<Item = Option<&'static str>> {
    let nobody = question.is_translated().then_some(None);
    [question.caller].into_iter().chain(nobody)
}

fn expected(question: &Question, caller: Option<&str>) -> Said {
    Said::expected(question.call, &question.answer(caller))
}

/// Judges the beginning of an answer.
fn judge_part(question: &Question, said: &Said) -> Verdict {
    let begins = |whole: &Said| {
        whole.text.starts_with(&said.text) && whole.thinking.starts_with(&said.thinking)
    };
    let is_right = match question.target {
        // The answer of which this is a part may be one that nobody has seen as a whole.
        Target::Engine => true,
        _ => callers(question).any(|caller| begins(&expected(question, caller))),
    };
    if is_right {
        Verdict::Left
    } else {
        Verdict::Wrong(format!("no beginning of the answer: {}", shown(said)))
    }
}

fn judge_scripted(question: &Question, spelling: Spelling, said: &Said) -> Verdict {
    let has_counts = said.prompt_tokens.is_some() || said.answer_tokens.is_some();
    let counts_asked = !spelling.stream || spelling.usage;
    let is_right = callers(question).any(|caller| {
        let mut expected = expected(question, caller);
        if !counts_asked && !has_counts {
            (expected.prompt_tokens, expected.answer_tokens) = (None, None);
        }
        *said == expected
    });
    if is_right {
        return Verdict::Right;
    }
    let expected = expected(question, question.caller);
    Verdict::Wrong(format!("{} instead of {}", shown(said), shown(&expected)))
}

/// Whether two answers of the engine are the same. One may not have told its counts.
fn agree(one: &Said, other: &Said) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-3;
    let counts = |a: Option<u64>, b: Option<u64>| a.is_none() || b.is_none() || a == b;
    one.text == other.text
        && one.calls == other.calls
        && one.stop == other.stop
        && counts(one.prompt_tokens, other.prompt_tokens)
        && counts(one.answer_tokens, other.answer_tokens)
        && one.vector.len() == other.vector.len()
        && one.vector.iter().zip(&other.vector).all(near)
}

/// What was said, cut to a length that can be read.
fn shown(said: &Said) -> String {
    shortened(&format!("{said:?}"))
}
