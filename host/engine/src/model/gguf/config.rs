//! The shape of a model in GGUF's words.

use mlx_rs::Array;

use super::{
    super::config::{
        Config, ExpertsConfig, FeedForwardConfig, LayerConfig, RopeConfig, RopeScaling, Yarn,
    },
    header::Value,
    metadata::Metadata,
};
use crate::EngineError;

/// The architectures that files name. Mistral's models name themselves Llama's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    Llama,
    /// Qwen 2 and 3.
    Qwen,
    /// Qwen 3 with experts.
    QwenExperts,
}

impl Architecture {
    pub(super) fn read(metadata: &Metadata) -> Result<Self, EngineError> {
        match metadata.text("general.architecture")? {
            "llama" => Ok(Self::Llama),
            "qwen2" | "qwen3" => Ok(Self::Qwen),
            "qwen3moe" => Ok(Self::QwenExperts),
            other => Err(metadata.unsupported(format!("its architecture is {other}"))),
        }
    }
}

pub(super) fn read(
    metadata: &Metadata,
    architecture: Architecture,
    rope_factors: Option<&Array>,
    is_untied: bool,
) -> Result<Config, EngineError> {
    let integer = |name: &str| metadata.integer(&metadata.own(name)?);
    let integer_or = |name: &str, default| metadata.integer_or(&metadata.own(name)?, default);
    let heads = integer("attention.head_count")?;
    let hidden_size = integer("embedding_length")?;
    let head_size = match heads {
        1.. => integer_or("attention.key_length", hidden_size / heads)?,
        _ => 0,
    };
    match integer_or("rope.dimension_count", head_size)? {
        dimensions if dimensions == head_size => {}
        other => {
            return Err(metadata.unsupported(format!("it turns {other} of {head_size} dimensions")));
        }
    }
    let layer = LayerConfig {
        window: None,
        feed_forward: feed_forward(metadata, architecture)?,
    };
    let layers = LayerConfig::list(metadata.integer(&metadata.own("block_count")?)?, |_| {
        Ok(layer.clone())
    });
    let config = Config {
        layers: layers.map_err(|reason| metadata.broken(reason))?,
        hidden_size,
        vocabulary_size: metadata
            .texts("tokenizer.ggml.tokens")?
            .len()
            .try_into()
            .unwrap_or(0),
        heads,
        key_value_heads: integer_or("attention.head_count_kv", heads)?,
        head_size,
        norm_epsilon: metadata.float(&metadata.own("attention.layer_norm_rms_epsilon")?)?,
        rope: rope(metadata, rope_factors)?,
        tied_embeddings: !is_untied,
        context_length: context_length(metadata)?,
    };
    config.check().map_err(|reason| metadata.broken(reason))?;
    Ok(config)
}

pub(super) fn context_length(metadata: &Metadata) -> Result<u32, EngineError> {
    metadata.integer(&metadata.own("context_length")?)
}

fn feed_forward(
    metadata: &Metadata,
    architecture: Architecture,
) -> Result<FeedForwardConfig, EngineError> {
    let integer = |name: &str| metadata.integer(&metadata.own(name)?);
    if architecture != Architecture::QwenExperts {
        return Ok(FeedForwardConfig::Dense(integer("feed_forward_length")?));
    }
    Ok(FeedForwardConfig::Experts(ExpertsConfig {
        count: integer("expert_count")?,
        chosen: integer("expert_used_count")?,
        size: integer("expert_feed_forward_length")?,
        // The files do not tell; all models of this architecture do it.
        normalised: true,
    }))
}

fn rope(metadata: &Metadata, factors: Option<&Array>) -> Result<RopeConfig, EngineError> {
    let float = |name: &str| metadata.float(&metadata.own(name)?);
    let base = match metadata.get(&metadata.own("rope.freq_base")?) {
        Some(_) => float("rope.freq_base")?,
        None => 10_000.0,
    };
    let kind = match metadata.get(&metadata.own("rope.scaling.type")?) {
        Some(Value::String(kind)) => kind,
        _ => "none",
    };
    let scaling = match (kind, factors) {
        ("linear", _) => RopeScaling::Linear(float("rope.scaling.factor")?),
        ("yarn", _) => RopeScaling::Yarn(yarn(metadata)?),
        ("none", Some(factors)) => RopeScaling::Factors(
            factors
                .to_vec_cast()
                .map_err(|error| metadata.broken(error.to_string()))?,
        ),
        ("none", None) => RopeScaling::None,
        (other, _) => {
            return Err(metadata.unsupported(format!("its RoPE scaling is {other}")));
        }
    };
    Ok(RopeConfig { base, scaling })
}

fn yarn(metadata: &Metadata) -> Result<Yarn, EngineError> {
    let factor = metadata.float(&metadata.own("rope.scaling.factor")?)?;
    let context: u32 = metadata.integer(&metadata.own("rope.scaling.original_context_length")?)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "contexts are multiples of powers of two"
    )]
    Ok(Yarn::new(factor, context as f32))
}
