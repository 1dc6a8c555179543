//! Models from Hugging Face folders.

mod config;
mod files;
mod pooling;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

use mlx_rs::Array;
use serde::Deserialize;

use super::{DeviceKind, Loaded, Outline, weights::Weights};
use crate::{
    EngineError,
    template::{ChatTemplate, SpecialTokens},
    tokenizer::Tokenizer,
};
use config::{OneOrMore, RawConfig};
pub(crate) use files::check_safetensors;
use files::{json, json_if_there, length, text_if_there};

/// Reads what `config.json` and the sizes of the safetensors tell.
pub(super) fn outline(folder: &Path) -> Result<Outline, EngineError> {
    let config_path = folder.join("config.json");
    let raw: RawConfig = json(&config_path)?;
    let shards = shards(folder)?;
    Ok(Outline {
        context_length: raw.resolve(&config_path)?.context_length,
        file_bytes: shards
            .iter()
            .map(|shard| length(shard))
            .sum::<Result<_, _>>()?,
    })
}

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
        pooling: pooling::pooling(folder)?,
        config,
    })
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
        .or(config.end_tokens());
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
