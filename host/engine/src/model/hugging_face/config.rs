//! `config.json`: the shape of a model in Hugging Face's words, with what MLX's converter adds.

use std::path::Path;

use serde::Deserialize;

use super::super::config::{
    Config, ExpertsConfig, FeedForwardConfig, LayerConfig, RopeConfig, RopeScaling, Yarn,
};
use crate::EngineError;

/// The fields that matter here.
#[derive(Deserialize)]
pub(super) struct RawConfig {
    model_type: String,
    hidden_size: i32,
    intermediate_size: i32,
    num_hidden_layers: usize,
    num_attention_heads: i32,
    num_key_value_heads: Option<i32>,
    head_dim: Option<i32>,
    vocab_size: i32,
    max_position_embeddings: u32,
    rms_norm_eps: f32,
    rope_theta: Option<f32>,
    #[serde(alias = "rope_parameters")]
    rope_scaling: Option<RawRope>,
    #[serde(default)]
    tie_word_embeddings: bool,
    eos_token_id: Option<OneOrMore>,
    /// Of Qwen 3 with experts.
    #[serde(flatten)]
    experts: RawExperts,
    #[serde(flatten)]
    window: RawWindow,
    /// What MLX's converter adds.
    quantization: Option<RawQuantization>,
    /// What other converters add, and MLX's as well.
    quantization_config: Option<RawQuantization>,
}

/// Transformers 5 writes the base here, too.
#[derive(Deserialize)]
struct RawRope {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f32>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<f32>,
    beta_fast: Option<f32>,
    beta_slow: Option<f32>,
    attention_factor: Option<f32>,
    mscale: Option<f32>,
    mscale_all_dim: Option<f32>,
}

#[derive(Deserialize)]
struct RawExperts {
    num_experts: Option<i32>,
    num_experts_per_tok: Option<i32>,
    moe_intermediate_size: Option<i32>,
    #[serde(default)]
    norm_topk_prob: bool,
    /// Each so-manyth layer has experts.
    decoder_sparse_step: Option<usize>,
    /// Layers that have none nevertheless.
    #[serde(default)]
    mlp_only_layers: Vec<usize>,
}

#[derive(Deserialize)]
struct RawWindow {
    sliding_window: Option<i32>,
    use_sliding_window: Option<bool>,
    /// The first layer with a window, in Qwen's models: 28 if not set, as in Transformers.
    max_window_layers: Option<usize>,
    /// Layer by layer, whether it has a window.
    layer_types: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawQuantization {
    mode: Option<String>,
    quant_method: Option<String>,
    /// Settings of all layers, and of single ones under their names.
    group_size: Option<i32>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(u32),
    More(Vec<u32>),
}

/// The architectures, by their differences.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Llama 2 and 3, `SmolLM2`.
    Llama,
    /// All its layers have a window, if any has.
    Mistral,
    /// Qwen 2 and 3: its first layers have no window, even if others have.
    Qwen,
    /// Qwen 3 with experts.
    QwenExperts,
}

impl RawConfig {
    pub(super) fn resolve(&self, path: &Path) -> Result<Config, EngineError> {
        let unsupported = |reason| EngineError::UnsupportedModel {
            path: path.to_owned(),
            reason,
        };
        let broken = |reason| EngineError::ModelBroken {
            path: path.to_owned(),
            reason,
        };
        let family = self.family().map_err(unsupported)?;
        self.check_quantization().map_err(unsupported)?;
        let heads = self.num_attention_heads;
        let head_size = self
            .head_dim
            .unwrap_or(self.hidden_size.checked_div(heads).unwrap_or(0));
        let scaling = match &self.rope_scaling {
            Some(raw) => raw
                .kind(self.max_position_embeddings)
                .map_err(unsupported)?,
            None => RopeScaling::None,
        };
        let config = Config {
            layers: LayerConfig::list(self.num_hidden_layers, |layer| self.layer(layer, family))
                .map_err(broken)?,
            hidden_size: self.hidden_size,
            vocabulary_size: self.vocab_size,
            heads,
            key_value_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size,
            norm_epsilon: self.rms_norm_eps,
            rope: RopeConfig {
                base: self.rope_base(),
                scaling,
            },
            tied_embeddings: self.tie_word_embeddings,
            context_length: self.max_position_embeddings,
        };
        config.check().map(|()| config).map_err(broken)
    }

    /// Tokens that end an answer.
    pub(super) fn end_tokens(&self) -> Option<OneOrMore> {
        self.eos_token_id.clone()
    }

    fn family(&self) -> Result<Family, String> {
        match self.model_type.as_str() {
            "llama" => Ok(Family::Llama),
            "mistral" => Ok(Family::Mistral),
            "qwen2" | "qwen3" => Ok(Family::Qwen),
            "qwen3_moe" => Ok(Family::QwenExperts),
            other => Err(format!("its architecture is {other}")),
        }
    }

    /// Only the one kind of quantisation: of the others MLX's converter writes the name, and other
    /// converters write nothing that is read here. Bits and group sizes follow from the tensors.
    fn check_quantization(&self) -> Result<(), String> {
        let Some(settings) = self
            .quantization
            .as_ref()
            .or(self.quantization_config.as_ref())
        else {
            return Ok(());
        };
        let mode = settings.mode.as_deref().unwrap_or("affine");
        let method = settings.quant_method.as_deref();
        match (method, mode) {
            (None, "affine") if settings.group_size.is_some() => Ok(()),
            (None, mode) => Err(format!("its weights are quantised in the mode {mode}")),
            (Some(method), _) => Err(format!("its weights are quantised by {method}")),
        }
    }

    fn rope_base(&self) -> f32 {
        let nested = self.rope_scaling.as_ref().and_then(|raw| raw.rope_theta);
        self.rope_theta.or(nested).unwrap_or(10_000.0)
    }

    fn layer(&self, layer: usize, family: Family) -> Result<LayerConfig, String> {
        let feed_forward = if family == Family::QwenExperts && self.experts.are_in(layer) {
            FeedForwardConfig::Experts(self.experts.resolve()?)
        } else {
            FeedForwardConfig::Dense(self.intermediate_size)
        };
        Ok(LayerConfig {
            window: self.window.of(layer, family),
            feed_forward,
        })
    }
}

impl RawExperts {
    fn are_in(&self, layer: usize) -> bool {
        let step = self.decoder_sparse_step.unwrap_or(1);
        (layer + 1).is_multiple_of(step) && !self.mlp_only_layers.contains(&layer)
    }

    fn resolve(&self) -> Result<ExpertsConfig, String> {
        let need = |name: &str, value: Option<i32>| value.ok_or(format!("it has no `{name}`"));
        Ok(ExpertsConfig {
            count: need("num_experts", self.num_experts)?,
            chosen: need("num_experts_per_tok", self.num_experts_per_tok)?,
            size: need("moe_intermediate_size", self.moe_intermediate_size)?,
            normalised: self.norm_topk_prob,
        })
    }
}

impl RawWindow {
    fn of(&self, layer: usize, family: Family) -> Option<i32> {
        let has_window = match &self.layer_types {
            Some(types) => types
                .get(layer)
                .is_some_and(|kind| kind == "sliding_attention"),
            None => match family {
                Family::Llama => false,
                Family::Mistral => true,
                Family::Qwen | Family::QwenExperts => {
                    self.use_sliding_window == Some(true)
                        && layer >= self.max_window_layers.unwrap_or(28)
                }
            },
        };
        self.sliding_window.filter(|_| has_window)
    }
}

impl RawRope {
    fn kind(&self, context: u32) -> Result<RopeScaling, String> {
        let factor = self
            .factor
            .ok_or("its RoPE scaling has no `factor`".to_owned());
        match self.rope_type.as_deref().unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => factor.map(RopeScaling::Linear),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: factor?,
                low_frequency: self.low_freq_factor.unwrap_or(1.0),
                high_frequency: self.high_freq_factor.unwrap_or(4.0),
                original_context: self.original_max_position_embeddings.unwrap_or(8192.0),
            }),
            "yarn" => Ok(RopeScaling::Yarn(self.yarn(factor?, context))),
            other => Err(format!("its RoPE scaling is {other}")),
        }
    }

    fn yarn(&self, factor: f32, context: u32) -> Yarn {
        #[expect(
            clippy::cast_precision_loss,
            reason = "contexts are multiples of powers of two"
        )]
        let context = context as f32;
        let original = self.original_max_position_embeddings.unwrap_or(context);
        let standard = Yarn::new(factor, original);
        let magnitude = |weight| Yarn::magnitude(factor, weight);
        let ratio =
            magnitude(self.mscale.unwrap_or(1.0)) / magnitude(self.mscale_all_dim.unwrap_or(0.0));
        Yarn {
            beta_fast: self.beta_fast.unwrap_or(standard.beta_fast),
            beta_slow: self.beta_slow.unwrap_or(standard.beta_slow),
            magnitude: self.attention_factor.unwrap_or(ratio),
            ..standard
        }
    }
}
