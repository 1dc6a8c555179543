//! Models from GGUF files.

mod config;
mod header;
mod metadata;
mod tensors;

use std::path::Path;

pub(crate) use metadata::Metadata;

use super::{DeviceKind, Loaded, Outline, weights::Weights};
use crate::{EngineError, Pooling, template::ChatTemplate, tokenizer};
use config::Architecture;

/// Reads what a `.gguf` file tells without its weights.
pub(super) fn outline(path: &Path) -> Result<Outline, EngineError> {
    let metadata = Metadata::read(path)?;
    Architecture::read(&metadata)?;
    Ok(Outline {
        context_length: config::context_length(&metadata)?,
        file_bytes: metadata.file_bytes()?,
    })
}

/// Loads a `.gguf` file.
pub(super) fn load(path: &Path) -> Result<Loaded, EngineError> {
    let metadata = Metadata::read(path)?;
    let architecture = Architecture::read(&metadata)?;
    let mut tensors = tensors::read(path, &metadata)?;
    let factors = tensors.remove("rope_freqs.weight");
    let is_untied = tensors.contains_key("lm_head.weight");
    let config = config::read(&metadata, architecture, factors.as_ref(), is_untied)?;
    if architecture == Architecture::Llama {
        tensors::unpermute(&mut tensors, &config)
            .map_err(|error| metadata.broken(error.to_string()))?;
    }
    let vocabulary = tokenizer::Vocabulary::read(&metadata)?;
    Ok(Loaded {
        weights: Weights::new(tensors, path.to_owned(), DeviceKind::current()),
        template: ChatTemplate::new(
            metadata.text("tokenizer.chat_template")?,
            &vocabulary.special_tokens(),
        )
        .map_err(|reason| metadata.unsupported(reason))?,
        end_tokens: vocabulary.end_tokens(),
        pooling: pooling(&metadata)?,
        tokenizer: vocabulary.tokenizer(&metadata)?,
        config,
    })
}

/// The pooling that the file names by its number in llama.cpp; the mean where it names none.
fn pooling(metadata: &Metadata) -> Result<Pooling, EngineError> {
    let key = metadata.own("pooling_type")?;
    if metadata.get(&key).is_none() {
        return Ok(Pooling::Mean);
    }
    match metadata.integer(&key)? {
        0 | 1 => Ok(Pooling::Mean),
        3 => Ok(Pooling::LastToken),
        other => Err(metadata.unsupported(format!("its pooling has the number {other}"))),
    }
}
