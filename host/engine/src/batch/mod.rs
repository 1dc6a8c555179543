//! Continuous batching: all running sequences go through the model together, one token each, and
//! new ones join between two passes with a part of their prompts.
//!
//! Decoding reads all weights for each pass, so that more sequences cost little more than one. Only
//! attention is computed for each sequence by itself, over a cache of its own: no padding, and
//! nothing is moved when a sequence comes or goes. Paper: <https://www.usenix.org/conference/osdi22/presentation/yu>.

mod admission;
mod pass;
mod prefix_cache;
mod sequence;

use std::collections::VecDeque;

use crate::{
    EngineError, Limits,
    model::{KvCache, Transformer},
    protocol::RequestId,
    sampler::Sampler,
};
use prefix_cache::PrefixCache;
use sequence::Sequence;
pub(crate) use sequence::Token;

/// The answer of this number to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SequenceId {
    pub(crate) request: RequestId,
    pub(crate) choice: u32,
}

/// What a step did for a sequence.
#[derive(Debug)]
pub(crate) enum Output {
    /// It begins, and this much of its prompt is known from earlier.
    Begun { cached: usize },
    /// This much of its prompt is read.
    Read { processed: usize, total: usize },
    /// It goes on.
    Token(Token),
    /// It failed, and is gone.
    Failed(EngineError),
}

/// Sequences that are computed together.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    model: &'a Transformer,
    limits: Limits,
    bytes_per_position: usize,
    /// In the order in which they begin.
    waiting: VecDeque<Sequence>,
    /// In the order in which they began.
    running: Vec<Sequence>,
    prefixes: PrefixCache,
    passes: usize,
}

type Outputs = Vec<(SequenceId, Output)>;

impl<'a> Batch<'a> {
    /// An empty batch for a model each of whose positions has so many bytes of keys and values.
    pub(crate) fn new(model: &'a Transformer, bytes_per_position: usize, limits: Limits) -> Self {
        Self {
            model,
            bytes_per_position,
            waiting: VecDeque::new(),
            running: Vec::new(),
            prefixes: PrefixCache::new(limits.prefix_cache_bytes),
            limits,
            passes: 0,
        }
    }

    /// Continues a prompt, which must not be empty, by up to `left` tokens.
    pub(crate) fn add(
        &mut self,
        id: SequenceId,
        prompt: Vec<u32>,
        sampler: Sampler,
        left: u32,
        logprobs: Option<usize>,
    ) {
        let cache = self.model.new_cache();
        let sequence = Sequence::new(id, prompt, sampler, left, logprobs, cache);
        self.waiting.push_back(sequence);
    }

    /// Ends a sequence; what it knows is kept for others.
    pub(crate) fn remove(&mut self, id: SequenceId) {
        self.waiting.retain(|sequence| sequence.id != id);
        let found = self.running.iter().position(|sequence| sequence.id == id);
        if let Some(index) = found {
            let Sequence { tokens, cache, .. } = self.running.remove(index);
            self.prefixes.keep(tokens, cache);
        }
    }

    /// Keeps what was computed elsewhere for sequences that begin with these tokens.
    pub(crate) fn keep(&mut self, tokens: Vec<u32>, cache: KvCache) {
        self.prefixes.keep(tokens, cache);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Does one pass. A failure of MLX ends all sequences that took part.
    pub(crate) fn step(&mut self) -> Outputs {
        let mut outputs = Vec::new();
        let done = self
            .admit(&mut outputs)
            .map_err(EngineError::from)
            .and_then(|()| self.pass(&mut outputs));
        if let Err(error) = done {
            let failed = self.running.drain(..);
            outputs.extend(failed.map(|sequence| (sequence.id, Output::Failed(error.clone()))));
        }
        self.limit_memory(&mut outputs);
        outputs
    }
}
