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

/// Reads all that [`load`] reads without MLX.
pub(crate) fn read_without_weights(path: &Path) -> Result<(), EngineError> {
    let metadata = Metadata::read(path)?;
    let architecture = Architecture::read(&metadata)?;
    config::read(&metadata, architecture, None, false)?;
    pooling(&metadata)?;
    let vocabulary = tokenizer::Vocabulary::read(&metadata)?;
    template(&metadata, &vocabulary)?;
    vocabulary.tokenizer(&metadata)?;
    Ok(())
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
        template: template(&metadata, &vocabulary)?,
        end_tokens: vocabulary.end_tokens(),
        pooling: pooling(&metadata)?,
        tokenizer: vocabulary.tokenizer(&metadata)?,
        config,
    })
}

fn template(
    metadata: &Metadata,
    vocabulary: &tokenizer::Vocabulary,
) -> Result<ChatTemplate, EngineError> {
    let source = metadata.text("tokenizer.chat_template")?;
    ChatTemplate::new(source, &vocabulary.special_tokens())
        .map_err(|reason| metadata.unsupported(reason))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The pooling of a file that holds nothing but this number of it.
    fn of(number: Option<u32>) -> Result<Pooling, EngineError> {
        let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        let entries = 1 + u64::from(number.is_some());
        let mut file = [&b"GGUF"[..], &3u32.to_le_bytes(), &0u64.to_le_bytes()].concat();
        file.extend(entries.to_le_bytes());
        file.extend(text("general.architecture"));
        file.extend(8u32.to_le_bytes());
        file.extend(text("qwen3"));
        if let Some(number) = number {
            file.extend(text("qwen3.pooling_type"));
            file.extend(4u32.to_le_bytes());
            file.extend(number.to_le_bytes());
        }
        file.resize(file.len().next_multiple_of(32), 0);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, file).expect("writes");
        pooling(&Metadata::read(&path)?)
    }

    #[test]
    fn the_file_tells_how_vectors_are_pooled() {
        for (number, expected) in [
            (None, Pooling::Mean),
            (Some(0), Pooling::Mean),
            (Some(1), Pooling::Mean),
            (Some(3), Pooling::LastToken),
        ] {
            assert_eq!(of(number), Ok(expected), "{number:?}");
        }
        assert!(matches!(
            of(Some(2)),
            Err(EngineError::UnsupportedModel { .. })
        ));
    }
}
