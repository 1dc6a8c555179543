//! One pass through the model.

use mlx_rs::{
    Array,
    error::Result,
    memory::clear_cache,
    ops::{
        concatenate,
        indexing::{TryIndexOp, take_axis},
    },
    transforms::{async_eval, eval},
};

use super::{Batch, Output, Outputs, SequenceId, sequence::Sequence};
use crate::{EngineError, model::Part};

/// Prompt tokens of one pass: the longest that a cancelled request still computes. On two CPU cores
/// more at once is no faster.
const CHUNK: usize = 512;

/// Prompt tokens of a pass in which other sequences get a token: how long these wait for it.
const CHUNK_BESIDE_OTHERS: usize = 64;

/// MLX's pool of free buffers is emptied after so many passes, as `mlx_lm` does: shapes grow with
/// the sequences, and old buffers no longer fit.
const CLEAR_CACHE_INTERVAL: usize = 256;

impl Batch<'_> {
    /// Computes the next logits, and gives out the tokens that led to them.
    pub(super) fn pass(&mut self, outputs: &mut Outputs) -> std::result::Result<(), EngineError> {
        let logits = self.forward(outputs)?;
        // Only now are tokens waited for: the model has its next work.
        let mut ended = self.give_out(outputs)?;
        ended.extend(self.choose(logits, outputs)?);
        for id in ended {
            self.remove(id);
        }
        self.passes += 1;
        if self.passes.is_multiple_of(CLEAR_CACHE_INTERVAL) {
            clear_cache()?;
        }
        Ok(())
    }

    /// Gives out the tokens that were chosen before this pass. Returns the sequences that have all
    /// of theirs now.
    fn give_out(
        &mut self,
        outputs: &mut Outputs,
    ) -> std::result::Result<Vec<SequenceId>, EngineError> {
        let mut ended = Vec::new();
        for sequence in self.running.iter_mut().filter(|one| one.decodes()) {
            if let Some(token) = sequence.give_out()? {
                if token.is_last {
                    ended.push(sequence.id);
                }
                outputs.push((sequence.id, Output::Token(token)));
            }
        }
        Ok(ended)
    }

    /// Chooses tokens by the logits of this pass. Returns the sequences that failed.
    fn choose(
        &mut self,
        logits: Vec<(usize, Array)>,
        outputs: &mut Outputs,
    ) -> Result<Vec<SequenceId>> {
        let (mut chosen, mut failed) = (Vec::new(), Vec::new());
        for (index, logits) in logits {
            let sequence = &mut self.running[index];
            match sequence.choose(logits) {
                Ok(token) => chosen.push(token),
                Err(error) => {
                    failed.push(sequence.id);
                    outputs.push((sequence.id, Output::Failed(error)));
                }
            }
        }
        async_eval(&chosen)?;
        Ok(failed)
    }

    /// Starts to compute logits [1, vocabulary] for the sequences that get a token after this pass.
    fn forward(&mut self, outputs: &mut Outputs) -> Result<Vec<(usize, Array)>> {
        let shares = self.shares();
        let (mut tokens, mut parts, mut leading, mut length) = (vec![], vec![], vec![], 0);
        for (index, (sequence, share)) in self.running.iter_mut().zip(shares).enumerate() {
            let Some(input) = sequence.input(share)? else {
                continue;
            };
            let added = input.tokens.dim(1);
            length += added;
            if input.leads_on {
                leading.push((index, length - 1));
            }
            tokens.push(input.tokens);
            if share > 0 && sequence.is_new() {
                let (processed, total) = (sequence.cache.length() + share, sequence.tokens.len());
                outputs.push((sequence.id, Output::Read { processed, total }));
            }
            let cache = &mut sequence.cache;
            parts.push(Part { cache, added });
        }
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let hidden = self.model.extend(&concatenate(&tokens, 1)?, &mut parts)?;
        let logits = self.logits(&hidden, &leading)?;
        self.start(&logits)?;
        Ok(logits)
    }

    /// How many tokens of its backlog each sequence reads in this pass. They take turns in being
    /// the first, so that no prompt waits for the end of a longer one.
    fn shares(&self) -> Vec<usize> {
        let count = self.running.len();
        let mut left = if self.running.iter().any(Sequence::decodes) {
            CHUNK_BESIDE_OTHERS
        } else {
            CHUNK
        };
        let mut shares = vec![0; count];
        for turn in 0..count {
            let index = (self.passes + turn) % count;
            shares[index] = self.running[index].backlog().min(left);
            left -= shares[index];
        }
        shares
    }

    /// The logits of sequences after these positions of the pass.
    fn logits(&self, hidden: &Array, leading: &[(usize, i32)]) -> Result<Vec<(usize, Array)>> {
        if leading.is_empty() {
            return Ok(Vec::new());
        }
        let count = i32::try_from(leading.len()).unwrap_or(i32::MAX);
        let positions = leading.iter().map(|(_, position)| *position);
        let positions = Array::from_iter(positions, &[count]);
        let logits = self.model.logits(&take_axis(hidden, positions, 1)?)?;
        let each = leading.iter().zip(0..);
        each.map(|((index, _), row)| Ok((*index, logits.try_index((.., row, ..))?)))
            .collect()
    }

    /// Starts the computation of a pass; waits for its end if no token shows when that is.
    fn start(&self, logits: &[(usize, Array)]) -> Result<()> {
        let caches = self.running.iter().filter(|one| one.backlog() > 0);
        let caches = caches.flat_map(|sequence| sequence.cache.arrays());
        let arrays = logits.iter().map(|(_, logits)| logits).chain(caches);
        if self.running.iter().any(Sequence::decodes) || !logits.is_empty() {
            return async_eval(arrays);
        }
        eval(arrays)?;
        clear_cache()
    }
}
