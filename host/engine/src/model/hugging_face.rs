//! Llama models from Hugging Face folders.

mod files;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use mlx_rs::Array;
use serde::Deserialize;

use super::{
    DeviceKind, Loaded,
    config::{Config, RopeConfig, RopeScaling},
    weights::Weights,
};
use crate::{
    EngineError,
    template::{ChatTemplate, SpecialTokens},
    tokenizer::Tokenizer,
};
use files::{check_safetensors, json, json_if_there, text_if_there};

/// Loads a folder of `config.json`, `tokenizer.json`, `tokenizer_config.json` and safetensors.
pub(super) fn load(folder: &Path) -> Result<Loaded, EngineError> {
    let config_path = folder.join("config.json");
    let raw: RawConfig = json(&config_path)?;
    let config = raw.resolve(&config_path)?;
    let tokenizer_config: TokenizerConfig = json(&folder.join("tokenizer_config.json"))?;
    let tokenizer = Tokenizer::read(&folder.join("tokenizer.json"))?;
    let mut end_tokens = end_tokens(folder, &raw)?;
    let special = tokenizer_config.special_tokens();
    end_tokens.extend(special.end.as_deref().and_then(|token| tokenizer.id(token)));
    Ok(Loaded {
        template: template(folder, &tokenizer_config, &special)?,
        weights: Weights::new(tensors(folder)?, folder.to_owned(), DeviceKind::current()),
        tokenizer,
        end_tokens,
        config,
    })
}

/// The fields of `config.json` that matter to a Llama model.
#[derive(Deserialize)]
struct RawConfig {
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
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    quantization: Option<serde_json::Value>,
    eos_token_id: Option<OneOrMore>,
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
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(u32),
    More(Vec<u32>),
}

impl RawConfig {
    fn resolve(&self, path: &Path) -> Result<Config, EngineError> {
        let unsupported = |reason: String| {
            Err(EngineError::UnsupportedModel {
                path: path.to_owned(),
                reason,
            })
        };
        if self.model_type != "llama" {
            return unsupported(format!("its architecture is {}", self.model_type));
        }
        if self.attention_bias || self.mlp_bias {
            return unsupported("its layers have biases".to_owned());
        }
        if self.quantization.is_some() {
            return unsupported("its weights are quantised by MLX".to_owned());
        }
        let heads = self.num_attention_heads;
        let head_size = self
            .head_dim
            .unwrap_or(self.hidden_size.checked_div(heads).unwrap_or(0));
        let config = Config {
            layers: self.num_hidden_layers,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            vocabulary_size: self.vocab_size,
            heads,
            key_value_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size,
            norm_epsilon: self.rms_norm_eps,
            rope: self.rope(path)?,
            tied_embeddings: self.tie_word_embeddings,
            context_length: self.max_position_embeddings,
        };
        let broken = |reason| EngineError::ModelBroken {
            path: path.to_owned(),
            reason,
        };
        config.check().map(|()| config).map_err(broken)
    }

    fn rope(&self, path: &Path) -> Result<RopeConfig, EngineError> {
        let raw = self.rope_scaling.as_ref();
        let base = self
            .rope_theta
            .or(raw.and_then(|raw| raw.rope_theta))
            .unwrap_or(10_000.0);
        let need_factor = |raw: &RawRope| {
            raw.factor.ok_or_else(|| EngineError::ModelBroken {
                path: path.to_owned(),
                reason: "its RoPE scaling has no `factor`".to_owned(),
            })
        };
        let scaling = match raw.map(|raw| (raw, raw.rope_type.as_deref())) {
            None | Some((_, None | Some("default"))) => RopeScaling::None,
            Some((raw, Some("linear"))) => RopeScaling::Linear(need_factor(raw)?),
            Some((raw, Some("llama3"))) => RopeScaling::Llama3 {
                factor: need_factor(raw)?,
                low_frequency: raw.low_freq_factor.unwrap_or(1.0),
                high_frequency: raw.high_freq_factor.unwrap_or(4.0),
                original_context: raw.original_max_position_embeddings.unwrap_or(8192.0),
            },
            Some((_, Some(other))) => {
                let reason = format!("its RoPE scaling is {other}");
                return Err(EngineError::UnsupportedModel {
                    path: path.to_owned(),
                    reason,
                });
            }
        };
        Ok(RopeConfig { base, scaling })
    }
}

/// The fields of `tokenizer_config.json` that matter here.
#[derive(Deserialize)]
struct TokenizerConfig {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    chat_template: Option<RawTemplate>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Added { content: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawTemplate {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

impl TokenizerConfig {
    fn special_tokens(&self) -> SpecialTokens {
        let text = |token: &Option<Token>| match token {
            Some(Token::Text(content) | Token::Added { content }) => Some(content.clone()),
            None => None,
        };
        SpecialTokens {
            begin: text(&self.bos_token),
            end: text(&self.eos_token),
        }
    }

    fn chat_template(&self) -> Option<&str> {
        match self.chat_template.as_ref()? {
            RawTemplate::One(template) => Some(template),
            RawTemplate::Named(templates) => {
                let default = templates
                    .iter()
                    .find(|template| template.name == "default")?;
                Some(&default.template)
            }
        }
    }
}

/// `chat_template.jinja`, if there, wins over the tokeniser's configuration.
fn template(
    folder: &Path,
    config: &TokenizerConfig,
    special: &SpecialTokens,
) -> Result<ChatTemplate, EngineError> {
    let file = text_if_there(&folder.join("chat_template.jinja"))?;
    let unsupported = |reason| EngineError::UnsupportedModel {
        path: folder.to_owned(),
        reason,
    };
    let source = file
        .as_deref()
        .or_else(|| config.chat_template())
        .ok_or_else(|| unsupported("it has no chat template".to_owned()))?;
    ChatTemplate::new(source, special).map_err(unsupported)
}

/// `generation_config.json`, if there, wins over `config.json`.
fn end_tokens(folder: &Path, config: &RawConfig) -> Result<HashSet<u32>, EngineError> {
    #[derive(Deserialize)]
    struct GenerationConfig {
        eos_token_id: Option<OneOrMore>,
    }
    let generation: Option<GenerationConfig> =
        json_if_there(&folder.join("generation_config.json"))?;
    let ids = generation
        .and_then(|config| config.eos_token_id)
        .or(config.eos_token_id.clone());
    Ok(match ids {
        Some(OneOrMore::One(id)) => HashSet::from([id]),
        Some(OneOrMore::More(ids)) => ids.into_iter().collect(),
        None => HashSet::new(),
    })
}

/// The tensors of all shards. Each file is checked before MLX, which reads lazily, sees it.
fn tensors(folder: &Path) -> Result<HashMap<String, Array>, EngineError> {
    let mut tensors = HashMap::new();
    for shard in shards(folder)? {
        check_safetensors(&shard)?;
        let loaded = Array::load_safetensors(&shard).map_err(|error| EngineError::ModelBroken {
            path: shard,
            reason: error.to_string(),
        })?;
        tensors.extend(loaded);
    }
    Ok(tensors)
}

/// The files that the index names or, without one, the only file.
fn shards(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let index: Option<Index> = json_if_there(&folder.join("model.safetensors.index.json"))?;
    let names = match index {
        Some(index) => index.weight_map.into_values().collect::<BTreeSet<_>>(),
        None => BTreeSet::from(["model.safetensors".to_owned()]),
    };
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
