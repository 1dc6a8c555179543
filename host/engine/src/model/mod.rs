//! Models: their files, their layers, their caches.

mod attention;
mod config;
mod device;
mod feed_forward;
pub(crate) mod gguf;
mod hugging_face;
mod kv_cache;
mod layers;
mod matrix;
mod rope;
mod transformer;
mod weights;

use std::{collections::HashSet, path::Path};

pub(crate) use config::Config;
use device::DeviceKind;
pub(crate) use hugging_face::check_safetensors;
pub(crate) use kv_cache::{KvCache, Part};
pub(crate) use transformer::Transformer;
use weights::Weights;

use crate::{EngineError, Pooling, template::ChatTemplate, tokenizer::Tokenizer};

/// All that a model's files hold.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) weights: Weights,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: ChatTemplate,
    /// Tokens that end an answer.
    pub(crate) end_tokens: HashSet<u32>,
    /// How its embeddings are made.
    pub(crate) pooling: Pooling,
}

/// What a model's files tell without their weights.
pub(crate) struct Outline {
    /// In tokens.
    pub(crate) context_length: u32,
    /// Bytes of the weights, as the files have them.
    pub(crate) file_bytes: u64,
}

/// The forms that a model's files can have.
enum Form {
    HuggingFace,
    Gguf,
}

/// Loads a `.gguf` file or a Hugging Face folder.
pub(crate) fn load(path: &Path) -> Result<Loaded, EngineError> {
    match form(path)? {
        Form::HuggingFace => hugging_face::load(path),
        Form::Gguf => gguf::load(path),
    }
}

/// Reads what the files tell, without MLX.
pub(crate) fn outline(path: &Path) -> Result<Outline, EngineError> {
    match form(path)? {
        Form::HuggingFace => hugging_face::outline(path),
        Form::Gguf => gguf::outline(path),
    }
}

fn form(path: &Path) -> Result<Form, EngineError> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => EngineError::ModelNotFound {
            path: path.to_owned(),
        },
        _ => EngineError::ModelBroken {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    })?;
    if metadata.is_dir() {
        Ok(Form::HuggingFace)
    } else if path
        .extension()
        .is_some_and(|extension| extension == "gguf")
    {
        Ok(Form::Gguf)
    } else {
        let reason = "neither a .gguf file nor a Hugging Face folder".to_owned();
        Err(EngineError::UnsupportedModel {
            path: path.to_owned(),
            reason,
        })
    }
}
