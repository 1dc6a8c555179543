//! Attention with grouped queries. Paper: <https://arxiv.org/abs/2305.13245>.

use mlx_rs::{
    Array,
    error::Result,
    fast::{ScaledDotProductAttentionMask as Mask, scaled_dot_product_attention},
    ops::{concatenate, indexing::TryIndexOp},
};

use super::{
    config::Config,
    kv_cache::{LayerCache, Part},
    layers::Linear,
    rope::Rope,
    weights::Weights,
};
use crate::EngineError;

#[derive(Debug)]
pub(crate) struct Attention {
    queries: Linear,
    keys: Linear,
    values: Linear,
    output: Linear,
    rope: Rope,
    heads: i32,
    key_value_heads: i32,
    head_size: i32,
    scale: f32,
    /// Positions whose attention is computed at once.
    block: i32,
}

impl Attention {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        config: &Config,
    ) -> std::result::Result<Self, EngineError> {
        let Config {
            hidden_size,
            heads,
            key_value_heads,
            head_size,
            ..
        } = *config;
        let block = weights.device().attention_block();
        let mut linear = |part: &str, inputs, outputs| {
            Linear::load(weights, &format!("{name}.{part}_proj"), inputs, outputs)
        };
        #[expect(clippy::cast_precision_loss, reason = "head sizes are small")]
        let scale = (head_size as f32).sqrt().recip();
        Ok(Self {
            queries: linear("q", hidden_size, heads * head_size)?,
            keys: linear("k", hidden_size, key_value_heads * head_size)?,
            values: linear("v", hidden_size, key_value_heads * head_size)?,
            output: linear("o", heads * head_size, hidden_size)?,
            rope: Rope::new(&config.rope, head_size),
            heads,
            key_value_heads,
            head_size,
            scale,
            block,
        })
    }

    /// `x` is [1, length, hidden size], and so is the result. Only here do the parts of a pass
    /// differ: each attends to its own sequence.
    pub(crate) fn apply(&self, x: &Array, layer: usize, parts: &mut [Part<'_>]) -> Result<Array> {
        let [queries, keys, values] = [&self.queries, &self.keys, &self.values];
        let (queries, keys, values) = (queries.apply(x)?, keys.apply(x)?, values.apply(x)?);
        if let [Part { cache, .. }] = parts {
            let mixed = self.attend(&queries, &keys, &values, &mut cache.layers[layer])?;
            return self.output.apply(&mixed);
        }
        let mut mixed = Vec::with_capacity(parts.len());
        let mut start = 0;
        for Part { cache, added } in parts {
            let end = start + *added;
            let [queries, keys, values] =
                [&queries, &keys, &values].map(|all| all.try_index((.., start..end, ..)));
            mixed.push(self.attend(&queries?, &keys?, &values?, &mut cache.layers[layer])?);
            start = end;
        }
        self.output.apply(&concatenate(&mixed, 1)?)
    }

    /// What one sequence's new positions take from all: from three times
    /// [1, length, heads × head size] to the same.
    fn attend(
        &self,
        queries: &Array,
        keys: &Array,
        values: &Array,
        cache: &mut LayerCache,
    ) -> Result<Array> {
        let (length, offset) = (queries.dim(1), cache.length());
        let queries = self.split(queries, self.heads)?;
        let keys = self.split(keys, self.key_value_heads)?;
        let values = self.split(values, self.key_value_heads)?;
        let queries = self.rope.apply(&queries, offset)?;
        let (keys, values) = cache.append(&self.rope.apply(&keys, offset)?, &values)?;
        let mixed = self.mix(&queries, &keys, &values)?;
        mixed
            .transpose_axes(&[0, 2, 1, 3])?
            .reshape(&[1, length, self.heads * self.head_size])
    }

    /// From [1, length, heads × head size] to [1, heads, length, head size].
    fn split(&self, x: &Array, heads: i32) -> Result<Array> {
        x.reshape(&[1, x.dim(1), heads, self.head_size])?
            .transpose_axes(&[0, 2, 1, 3])
    }

    /// What each of the last positions, those of the queries, takes from all up to itself.
    fn mix(&self, queries: &Array, keys: &Array, values: &Array) -> Result<Array> {
        let (length, before) = (queries.dim(2), keys.dim(2) - queries.dim(2));
        if length <= self.block {
            return self.mix_block(queries, keys, values);
        }
        let mut mixed = Vec::new();
        let mut start = 0;
        while start < length {
            let end = length.min(start + self.block);
            let queries = queries.try_index((.., .., start..end, ..))?;
            let keys = keys.try_index((.., .., ..before + end, ..))?;
            let values = values.try_index((.., .., ..before + end, ..))?;
            mixed.push(self.mix_block(&queries, &keys, &values)?);
            start = end;
        }
        concatenate(&mixed, 2)
    }

    fn mix_block(&self, queries: &Array, keys: &Array, values: &Array) -> Result<Array> {
        // One position sees all that came before it, and needs no mask.
        let mask = (queries.dim(2) > 1).then_some(Mask::Causal);
        scaled_dot_product_attention(queries, keys, values, self.scale, mask, None)
    }
}
