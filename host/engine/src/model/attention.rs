//! Attention with grouped queries. Paper: <https://arxiv.org/abs/2305.13245>.

use mlx_rs::{
    Array,
    error::Result,
    fast::{ScaledDotProductAttentionMask as Mask, scaled_dot_product_attention},
    ops::{arange, concatenate, indexing::TryIndexOp},
};

use super::{
    config::{Config, LayerConfig},
    kv_cache::{LayerCache, Part},
    layers::{Linear, RmsNorm},
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
    /// Of each head, as Qwen 3 has them.
    query_norm: Option<RmsNorm>,
    key_norm: Option<RmsNorm>,
    rope: Rope,
    heads: i32,
    key_value_heads: i32,
    head_size: i32,
    scale: f32,
    /// Positions seen, the own one included. The KV cache holds them all nevertheless.
    window: i32,
    /// Positions whose attention is computed at once.
    block: i32,
}

impl Attention {
    pub(crate) fn load(
        weights: &mut Weights,
        name: &str,
        config: &Config,
        layer: &LayerConfig,
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
        let (queries, keys) = (heads * head_size, key_value_heads * head_size);
        let (queries, keys, values, output) = (
            linear("q", hidden_size, queries)?,
            linear("k", hidden_size, keys)?,
            linear("v", hidden_size, keys)?,
            linear("o", queries, hidden_size)?,
        );
        let mut norm = |part: &str| {
            let name = format!("{name}.{part}_norm");
            RmsNorm::load_if_there(weights, &name, head_size, config.norm_epsilon)
        };
        let rope = Rope::new(&config.rope, head_size);
        #[expect(clippy::cast_precision_loss, reason = "head sizes are small")]
        let scale = rope.magnitude().powi(2) / (head_size as f32).sqrt();
        Ok(Self {
            queries,
            keys,
            values,
            output,
            query_norm: norm("q")?,
            key_norm: norm("k")?,
            rope,
            heads,
            key_value_heads,
            head_size,
            scale,
            window: layer.window.unwrap_or(i32::MAX),
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
        let queries = self.split(queries, self.heads, self.query_norm.as_ref())?;
        let keys = self.split(keys, self.key_value_heads, self.key_norm.as_ref())?;
        let values = self.split(values, self.key_value_heads, None)?;
        let queries = self.rope.apply(&queries, offset)?;
        let (keys, values) = cache.append(&self.rope.apply(&keys, offset)?, &values)?;
        let mixed = self.mix(&queries, &keys, &values)?;
        mixed
            .transpose_axes(&[0, 2, 1, 3])?
            .reshape(&[1, length, self.heads * self.head_size])
    }

    /// From [1, length, heads × head size] to [1, heads, length, head size].
    fn split(&self, x: &Array, heads: i32, norm: Option<&RmsNorm>) -> Result<Array> {
        let split = x.reshape(&[1, x.dim(1), heads, self.head_size])?;
        let normalised = match norm {
            Some(norm) => norm.apply(&split)?,
            None => split,
        };
        normalised.transpose_axes(&[0, 2, 1, 3])
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
        let (length, total) = (queries.dim(2), keys.dim(2));
        if total > self.window {
            return self.mix_window(queries, keys, values);
        }
        // One position sees all that came before it, and needs no mask.
        let mask = (length > 1).then_some(Mask::Causal);
        scaled_dot_product_attention(queries, keys, values, self.scale, mask, None)
    }

    /// As `mix_block`, where some positions do not see all before them.
    fn mix_window(&self, queries: &Array, keys: &Array, values: &Array) -> Result<Array> {
        let (length, total) = (queries.dim(2), keys.dim(2));
        let first = (total - length + 1 - self.window).max(0);
        let keys = keys.try_index((.., .., first.., ..))?;
        let values = values.try_index((.., .., first.., ..))?;
        if length == 1 {
            return scaled_dot_product_attention(queries, keys, values, self.scale, None, None);
        }
        let of_queries = arange::<_, i32>(total - length, total, 1)?.expand_dims(-1)?;
        let of_keys = arange::<_, i32>(first, total, 1)?;
        let distance = of_queries.subtract(&of_keys)?;
        let seen = distance
            .ge(Array::from_int(0))?
            .logical_and(distance.lt(Array::from_int(self.window))?)?;
        let mask = Some(Mask::Array(&seen));
        scaled_dot_product_attention(queries, keys, values, self.scale, mask, None)
    }
}
