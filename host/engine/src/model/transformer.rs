//! The architecture of Llama (paper: <https://arxiv.org/abs/2302.13971>), and of those that followed it:
//! Mistral, Qwen 2 and 3, and Qwen 3 with experts. They differ in few parts of a layer.

use mlx_rs::{Array, error::Result};

use super::{
    attention::Attention,
    config::{Config, LayerConfig},
    feed_forward::FeedForward,
    kv_cache::{KvCache, Part},
    layers::{Embedding, Linear, RmsNorm},
    weights::Weights,
};
use crate::EngineError;

#[derive(Debug)]
pub(crate) struct Transformer {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    output: Linear,
}

impl Transformer {
    pub(crate) fn load(
        config: &Config,
        mut weights: Weights,
    ) -> std::result::Result<Self, EngineError> {
        let Config {
            hidden_size,
            vocabulary_size,
            norm_epsilon,
            ..
        } = *config;
        let embedding = Embedding::load(
            &mut weights,
            "model.embed_tokens",
            vocabulary_size,
            hidden_size,
        )?;
        let blocks = config
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                Block::load(
                    &mut weights,
                    &format!("model.layers.{index}"),
                    config,
                    layer,
                )
            })
            .collect::<std::result::Result<_, _>>()?;
        let norm = RmsNorm::load(&mut weights, "model.norm", hidden_size, norm_epsilon)?;
        let output = if config.tied_embeddings {
            weights.discard("lm_head");
            embedding.as_linear()
        } else {
            Linear::load(&mut weights, "lm_head", hidden_size, vocabulary_size)?
        };
        weights.finish()?;
        Ok(Self {
            embedding,
            blocks,
            norm,
            output,
        })
    }

    /// An empty KV cache for a new sequence.
    pub(crate) fn new_cache(&self) -> KvCache {
        KvCache::new(self.blocks.len())
    }

    /// Adds tokens [1, length], one part after the other, to the parts' sequences. The result
    /// [1, length, hidden size] need not be evaluated if only the caches are wanted.
    pub(crate) fn extend(&self, tokens: &Array, parts: &mut [Part<'_>]) -> Result<Array> {
        let mut hidden = self.embedding.apply(tokens)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let normed = block.attention_norm.apply(&hidden)?;
            let attended = block.attention.apply(&normed, layer, parts)?;
            let hidden_and_attended = hidden.add(attended)?;
            let fed = block
                .feed_forward
                .apply(&block.feed_forward_norm.apply(&hidden_and_attended)?)?;
            hidden = hidden_and_attended.add(fed)?;
        }
        Ok(hidden)
    }

    /// Logits [1, length, vocabulary] for the tokens that follow.
    pub(crate) fn logits(&self, hidden: &Array) -> Result<Array> {
        self.output.apply(&self.last_states(hidden)?)
    }

    /// The states [1, length, hidden size] that logits are computed of.
    pub(crate) fn last_states(&self, hidden: &Array) -> Result<Array> {
        self.norm.apply(hidden)
    }
}

#[derive(Debug)]
struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    feed_forward_norm: RmsNorm,
    feed_forward: FeedForward,
}

impl Block {
    fn load(
        weights: &mut Weights,
        name: &str,
        config: &Config,
        layer: &LayerConfig,
    ) -> std::result::Result<Self, EngineError> {
        let (size, epsilon) = (config.hidden_size, config.norm_epsilon);
        let mut norm =
            |part: &str| RmsNorm::load(weights, &format!("{name}.{part}"), size, epsilon);
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            feed_forward_norm: norm("post_attention_layernorm")?,
            attention: Attention::load(weights, &format!("{name}.self_attn"), config, layer)?,
            feed_forward: FeedForward::load(
                weights,
                &format!("{name}.mlp"),
                &layer.feed_forward,
                size,
            )?,
        })
    }
}
