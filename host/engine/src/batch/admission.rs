//! Who takes part: sequences begin when there is room, and are set back when there is none.

use mlx_rs::error::Result;

use super::{Batch, Output, Outputs, prefix_cache::common, sequence::Sequence};
use crate::{EngineError, model::KvCache};

impl Batch<'_> {
    /// Lets those begin for whom there is room, in their order.
    pub(super) fn admit(&mut self, outputs: &mut Outputs) -> Result<()> {
        while self.running.len() < self.limits.max_running.max(1)
            && let Some(mut sequence) = self.waiting.pop_front()
        {
            let needed = self.bytes_of(&sequence);
            if needed > self.limits.kv_bytes {
                let error = self.out_of_memory(sequence.tokens.len());
                outputs.push((sequence.id, Output::Failed(error)));
                continue;
            }
            let used: usize = self.running.iter().map(|one| self.bytes_of(one)).sum();
            if used + needed > self.limits.kv_bytes || self.is_being_read(&sequence.tokens) {
                self.waiting.push_front(sequence);
                break;
            }
            if let Some(known) = self.known(&sequence.tokens)? {
                sequence.cache = known;
            }
            if !std::mem::replace(&mut sequence.has_begun, true) {
                let cached = sequence.cache.length();
                outputs.push((sequence.id, Output::Begun { cached }));
            }
            self.running.push(sequence);
        }
        Ok(())
    }

    /// The longest known beginning of these tokens, without the last: it leads to the next one.
    fn known(&mut self, tokens: &[u32]) -> Result<Option<KvCache>> {
        let tokens = &tokens[..tokens.len() - 1];
        let running = self.running.iter().map(|sequence| {
            let length = common(&sequence.tokens, tokens).min(sequence.cache.length());
            (length, &sequence.cache)
        });
        let kept = self.prefixes.longest(tokens)?;
        let longest_kept = kept.as_ref().map_or(0, KvCache::length);
        match running.max_by_key(|(length, _)| *length) {
            Some((length, cache)) if length > longest_kept => cache.prefix(length).map(Some),
            _ => Ok(kept),
        }
    }

    /// Whether a running sequence is about to read what these tokens begin with.
    fn is_being_read(&self, tokens: &[u32]) -> bool {
        self.running.iter().any(|sequence| {
            sequence.backlog() > 0
                && common(&sequence.tokens, &tokens[..tokens.len() - 1]) > sequence.cache.length()
        })
    }

    /// Sets back the youngest sequences while the caches are too large together. They begin anew
    /// when there is room, and lose nothing but time.
    pub(super) fn limit_memory(&mut self, outputs: &mut Outputs) {
        while self.kv_bytes() > self.limits.kv_bytes
            && let Some(mut youngest) = self.running.pop()
        {
            if self.running.is_empty() {
                let error = self.out_of_memory(youngest.tokens.len());
                outputs.push((youngest.id, Output::Failed(error)));
                break;
            }
            tracing::debug!(id = ?youngest.id, "a sequence is set back for lack of memory");
            let cache = std::mem::replace(&mut youngest.cache, self.model.new_cache());
            self.prefixes.keep(youngest.tokens.clone(), cache);
            self.waiting.push_front(youngest);
        }
    }

    /// Memory that the running sequences' caches take up.
    fn kv_bytes(&self) -> usize {
        let caches = self.running.iter().map(|sequence| sequence.cache.bytes());
        caches.sum()
    }

    /// Memory that a sequence needs for the tokens that it has.
    fn bytes_of(&self, sequence: &Sequence) -> usize {
        let needed = KvCache::bytes_of(sequence.tokens.len(), self.bytes_per_position);
        needed.max(sequence.cache.bytes())
    }

    /// Refuses so many tokens if there is never room for them.
    pub(crate) fn refuse_too_many(&self, tokens: usize) -> std::result::Result<(), EngineError> {
        let needed = KvCache::bytes_of(tokens, self.bytes_per_position);
        if needed > self.limits.kv_bytes {
            return Err(self.out_of_memory(tokens));
        }
        Ok(())
    }

    fn out_of_memory(&self, tokens: usize) -> EngineError {
        EngineError::OutOfMemory {
            tokens,
            limit: self.limits.kv_bytes,
        }
    }
}
