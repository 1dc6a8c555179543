//! From requests to events: what the worker computes, and for whom.

use std::collections::{HashMap, VecDeque};

use deja_wire::{ChatRequest, Delta, Event, FinishReason, Prompt, TokenLogprob, Usage};

use crate::{
    EngineError, Limits,
    answer::{Addition, Answer},
    batch::{Batch, Output, SequenceId, Token},
    language_model::{LanguageModel, Read, count},
    protocol::{FromWorker, RequestId},
    sampler::grammar_of,
    scoring::Scoring,
};

/// Answers all requests at once. It does one step at a time, so that messages are seen between two.
pub(crate) struct Scheduler<'a> {
    model: &'a LanguageModel,
    batch: Batch<'a>,
    requests: HashMap<RequestId, Request<'a>>,
    /// Requests whose prompts are scored before their answers begin, one after the other.
    scored: VecDeque<(RequestId, ChatRequest, Scoring<'a>)>,
}

/// A request whose answers are in the making.
struct Request<'a> {
    /// By their number; those that are whole are gone.
    answers: HashMap<u32, Answer<'a>>,
    usage: Usage,
    /// Whether its prompt was scored, and is known from that.
    is_scored: bool,
}

impl<'a> Scheduler<'a> {
    pub(crate) fn new(model: &'a LanguageModel, limits: Limits) -> Self {
        Self {
            model,
            batch: model.batch(limits),
            requests: HashMap::new(),
            scored: VecDeque::new(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.batch.is_empty() && self.scored.is_empty()
    }

    /// Takes on a request. Returns what is to be said of it at once.
    pub(crate) fn generate(&mut self, id: RequestId, request: &ChatRequest) -> Vec<FromWorker> {
        let begun = match request.logprobs {
            Some(top) if request.echo => self.begin_scoring(id, request, top.into()),
            _ => self.begin(id, request, Vec::new()),
        };
        begun.unwrap_or_else(|error| vec![FromWorker::Failed { id, error }])
    }

    fn begin_scoring(
        &mut self,
        id: RequestId,
        request: &ChatRequest,
        top: usize,
    ) -> Result<Vec<FromWorker>, EngineError> {
        let prompt = self.model.prompt(&request.prompt)?;
        self.model.limit(&prompt, request.max_tokens)?;
        self.batch.refuse_too_many(prompt.len())?;
        let scoring = Scoring::new(self.model, prompt, top);
        self.scored.push_back((id, request.clone(), scoring));
        Ok(Vec::new())
    }

    /// Scores a few tokens more of the first prompt that is to be scored; at its end the answers
    /// begin.
    fn score(&mut self) -> Vec<FromWorker> {
        let Some((id, request, mut scoring)) = self.scored.pop_front() else {
            return Vec::new();
        };
        let scored = scoring.step().and_then(|()| {
            let (processed, total) = scoring.progress();
            if processed < total {
                self.scored.push_front((id, request, scoring));
                return Ok(about(id, progress(0, processed, total)));
            }
            let scored = scoring.finish(self.model.written(&request.prompt)?);
            self.batch.keep(scored.tokens, scored.cache);
            self.begin(id, &request, scored.logprobs)
        });
        scored.unwrap_or_else(|error| vec![FromWorker::Failed { id, error }])
    }

    /// Begins the answers to a request, whose prompt is this likely if that is wanted.
    fn begin(
        &mut self,
        id: RequestId,
        request: &ChatRequest,
        logprobs: Vec<TokenLogprob>,
    ) -> Result<Vec<FromWorker>, EngineError> {
        let Read {
            tokens: prompt,
            output,
            calls,
        } = self.model.read(&request.prompt)?;
        let is_of_calls = calls.is_some();
        let grammar = calls.or_else(|| grammar_of(&request.format));
        let limit = self.model.limit(&prompt, request.max_tokens)?;
        let usage = Usage {
            prompt_tokens: count(&prompt),
            ..Usage::default()
        };
        let choices = 0..request.choices.max(1);
        let is_scored = !logprobs.is_empty();
        let mut events = Vec::new();
        if let (true, Prompt::Text(text)) = (request.echo, &request.prompt) {
            let echo = Delta::Text {
                text: text.clone(),
                logprobs,
            };
            let echoes = choices.clone().map(|choice| delta(choice, echo.clone()));
            events.extend(echoes);
        }
        if limit == 0 {
            let finish = FinishReason::Length;
            events.extend(choices.map(|choice| finished(choice, finish.clone())));
            events.push(Event::End { usage });
            return Ok(about(id, events));
        }
        let mut answers = HashMap::new();
        for choice in choices {
            let id = SequenceId {
                request: id,
                choice,
            };
            let (sampling, grammar) = (&request.sampling, grammar.as_ref());
            let sampler = self.model.sampler(sampling, grammar, choice, &prompt);
            let sampler = sampler.map_err(|error| match error {
                EngineError::Format { reason } if is_of_calls => EngineError::ToolSchema { reason },
                error => error,
            })?;
            let logprobs = request.logprobs.map(usize::from);
            self.batch.add(id, prompt.clone(), sampler, limit, logprobs);
            answers.insert(choice, self.model.answer(&request.stop, output.clone()));
        }
        let request = Request {
            answers,
            usage,
            is_scored,
        };
        self.requests.insert(id, request);
        Ok(about(id, events))
    }

    /// Forgets a request.
    pub(crate) fn cancel(&mut self, id: RequestId) {
        self.scored.retain(|(scored, ..)| *scored != id);
        if let Some(request) = self.requests.remove(&id) {
            for choice in request.answers.into_keys() {
                self.batch.remove(SequenceId {
                    request: id,
                    choice,
                });
            }
        }
    }

    /// Computes the next tokens. Returns what came of it.
    pub(crate) fn step(&mut self) -> Vec<FromWorker> {
        let scored = self.score();
        let outputs = self.batch.step();
        let answered = outputs.into_iter().map(|(sequence, output)| {
            let id = sequence.request;
            self.take(sequence, output).unwrap_or_else(|error| {
                // Its other answers are of no use without this one.
                self.cancel(id);
                vec![FromWorker::Failed { id, error }]
            })
        });
        scored.into_iter().chain(answered.flatten()).collect()
    }

    /// What an output means for its request; nothing if that failed in the same step.
    fn take(
        &mut self,
        sequence: SequenceId,
        output: Output,
    ) -> Result<Vec<FromWorker>, EngineError> {
        let SequenceId {
            request: id,
            choice,
        } = sequence;
        let Some(request) = self.requests.get_mut(&id) else {
            return Ok(Vec::new());
        };
        let events = match output {
            Output::Begun { cached } => {
                request.begun(choice, cached);
                Vec::new()
            }
            Output::Read { processed, total } => {
                tracing::debug!(id, choice, processed, total, "reading a prompt");
                progress(choice, processed, total)
            }
            Output::Token(token) => request.push(choice, token),
            Output::Failed(error) => return Err(error),
        };
        if !request.answers.contains_key(&choice) {
            self.batch.remove(sequence);
        }
        if request.answers.is_empty() {
            self.requests.remove(&id);
        }
        Ok(about(id, events))
    }
}

impl Request<'_> {
    /// Only the first answer says what was known from earlier: the others may know of it.
    fn begun(&mut self, choice: u32, cached: usize) {
        if choice == 0 && !self.is_scored {
            self.usage.cached_tokens = u32::try_from(cached).unwrap_or(u32::MAX);
        }
    }

    /// An answer goes on by a token.
    fn push(&mut self, choice: u32, token: Token) -> Vec<Event> {
        let Some(answer) = self.answers.get_mut(&choice) else {
            return Vec::new();
        };
        let Addition { deltas, finish } = answer.push(token);
        self.usage.completion_tokens += 1;
        let deltas = deltas.into_iter();
        let mut events: Vec<_> = deltas.map(|added| delta(choice, added)).collect();
        if let Some(finish) = finish {
            self.answers.remove(&choice);
            events.push(finished(choice, finish));
            if self.answers.is_empty() {
                events.push(Event::End { usage: self.usage });
            }
        }
        events
    }
}

/// The answers to one request read their prompt together: the first one's progress is that of all.
/// The end of the prompt shows in the text that follows.
fn progress(choice: u32, processed: usize, total: usize) -> Vec<Event> {
    if choice > 0 || processed == total {
        return Vec::new();
    }
    let count = |tokens| u32::try_from(tokens).unwrap_or(u32::MAX);
    vec![Event::Progress {
        processed: count(processed),
        total: count(total),
    }]
}

fn delta(choice: u32, delta: Delta) -> Event {
    Event::Delta { choice, delta }
}

fn finished(choice: u32, finish: FinishReason) -> Event {
    Event::Finished { choice, finish }
}

fn about(id: RequestId, events: Vec<Event>) -> Vec<FromWorker> {
    let events = events.into_iter();
    events
        .map(|event| FromWorker::Event { id, event })
        .collect()
}
