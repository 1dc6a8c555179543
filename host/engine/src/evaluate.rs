//! What a model makes of given tokens, without going on: logits and embeddings.

use mlx_rs::{Array, Dtype, error::Result, transforms::eval};

use crate::{
    EngineError, LanguageModel, embedder::normalised, generate::tokens_array,
    language_model::count, model::Part,
};

/// Tokens that are embedded at once.
const CHUNK: usize = 512;

/// How the vectors of all tokens become that of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The last one, which has seen all others.
    LastToken,
}

impl LanguageModel {
    /// The logits of what follows on each token: [tokens, vocabulary]. `chunk` tokens are computed at
    /// once, over the KV cache of those before; for tests.
    ///
    /// # Errors
    /// [`EngineError::Generation`] if MLX fails.
    pub fn logits(
        &self,
        tokens: &[u32],
        chunk: usize,
    ) -> std::result::Result<Vec<Vec<f32>>, EngineError> {
        let mut cache = self.transformer.new_cache();
        let mut rows = Vec::new();
        for part in tokens.chunks(chunk.max(1)) {
            let added = tokens_array(part);
            let parts = &mut [Part::of(&mut cache, &added)];
            let hidden = self.transformer.extend(&added, parts)?;
            let logits = self.transformer.logits(&hidden)?;
            let values: Vec<f32> = floats(&logits)?;
            rows.extend(
                values
                    .chunks(values.len() / part.len())
                    .map(<[f32]>::to_vec),
            );
        }
        Ok(rows)
    }

    /// The embedding of a text: the model's last hidden states, pooled, with the length one.
    ///
    /// # Errors
    /// [`EngineError::Input`] if there is no token, [`EngineError::InputTooLong`] if there are more
    /// than the model's context holds, and [`EngineError::Generation`] if MLX fails.
    pub fn embed(
        &self,
        tokens: &[u32],
        pooling: Pooling,
    ) -> std::result::Result<Vec<f32>, EngineError> {
        let (length, context_length) = (count(tokens), self.context_length());
        if length > context_length {
            return Err(EngineError::InputTooLong {
                tokens: length,
                context_length,
            });
        }
        let pooled = self.pool(tokens, pooling)?;
        let pooled = pooled.ok_or_else(|| EngineError::Input {
            reason: "it has no tokens".to_owned(),
        })?;
        let vector = normalised(floats(&pooled)?);
        if vector.iter().all(|value| value.is_finite()) {
            return Ok(vector);
        }
        Err(EngineError::Generation {
            reason: "the embedding has values that are no numbers".to_owned(),
        })
    }

    /// A vector in the direction of the embedding; none without tokens.
    fn pool(&self, tokens: &[u32], pooling: Pooling) -> Result<Option<Array>> {
        let mut cache = self.transformer.new_cache();
        let mut pooled: Option<Array> = None;
        for part in tokens.chunks(CHUNK) {
            let added = tokens_array(part);
            let parts = &mut [Part::of(&mut cache, &added)];
            let hidden = self.transformer.extend(&added, parts)?;
            let states = self
                .transformer
                .last_states(&hidden)?
                .as_dtype(Dtype::Float32)?;
            pooled = Some(match (pooling, pooled) {
                (Pooling::LastToken, _) => states.take_axis(Array::from_int(-1), 1)?,
                (Pooling::Mean, None) => states.sum_axis(1, false)?,
                (Pooling::Mean, Some(sum)) => sum.add(states.sum_axis(1, false)?)?,
            });
            eval(cache.arrays().chain(&pooled))?;
        }
        Ok(pooled)
    }
}

fn floats(array: &Array) -> std::result::Result<Vec<f32>, EngineError> {
    let broken = |error: &dyn std::fmt::Display| EngineError::Generation {
        reason: error.to_string(),
    };
    array.to_vec_cast().map_err(|error| broken(&error))
}
