//! The Llama architecture: Llama 2 and 3, `SmolLM2`. Paper: <https://arxiv.org/abs/2302.13971>.

use mlx_rs::{Array, error::Result, nn::silu};

use super::{
    attention::Attention,
    config::Config,
    kv_cache::{KvCache, Part},
    layers::{Embedding, Linear, RmsNorm},
    weights::Weights,
};
use crate::EngineError;

#[derive(Debug)]
pub(crate) struct Llama {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    output: Linear,
}

impl Llama {
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
        let weights = &mut weights;
        let embedding =
            Embedding::load(weights, "model.embed_tokens", vocabulary_size, hidden_size)?;
        let blocks = (0..config.layers)
            .map(|layer| Block::load(weights, &format!("model.layers.{layer}"), config))
            .collect::<std::result::Result<_, _>>()?;
        let norm = RmsNorm::load(weights, "model.norm", hidden_size, norm_epsilon)?;
        let output = if config.tied_embeddings {
            embedding.as_linear()
        } else {
            Linear::load(weights, "lm_head", hidden_size, vocabulary_size)?
        };
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
        self.output.apply(&self.norm.apply(hidden)?)
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
    ) -> std::result::Result<Self, EngineError> {
        let (size, epsilon) = (config.hidden_size, config.norm_epsilon);
        let mut norm =
            |part: &str| RmsNorm::load(weights, &format!("{name}.{part}"), size, epsilon);
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            feed_forward_norm: norm("post_attention_layernorm")?,
            attention: Attention::load(weights, &format!("{name}.self_attn"), config)?,
            feed_forward: FeedForward::load(weights, &format!("{name}.mlp"), config)?,
        })
    }
}

/// `SwiGLU`. Paper: <https://arxiv.org/abs/2002.05202>.
#[derive(Debug)]
struct FeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    fn load(
        weights: &mut Weights,
        name: &str,
        config: &Config,
    ) -> std::result::Result<Self, EngineError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            gate: Linear::load(weights, &format!("{name}.gate_proj"), hidden, intermediate)?,
            up: Linear::load(weights, &format!("{name}.up_proj"), hidden, intermediate)?,
            down: Linear::load(weights, &format!("{name}.down_proj"), intermediate, hidden)?,
        })
    }

    fn apply(&self, x: &Array) -> Result<Array> {
        self.down
            .apply(&silu(self.gate.apply(x)?)?.multiply(self.up.apply(x)?)?)
    }
}
