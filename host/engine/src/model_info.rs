//! What a model's files tell, without loading it.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use crate::{EngineError, model};

/// What a model's files tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// Tokens that prompt and answer may have together.
    pub context_length: u32,
    /// When its file was last changed, in seconds since 1970.
    pub created: u64,
    /// Bytes of its weights. In memory it can take more: see [`WorkerStatus::Running`](crate::WorkerStatus::Running).
    pub file_bytes: u64,
}

impl ModelInfo {
    /// Reads what a `.gguf` file or a Hugging Face folder tells. `context_length`, in tokens, can
    /// lower the model's own limit.
    ///
    /// # Errors
    /// [`EngineError::ModelNotFound`], [`EngineError::ModelBroken`] and
    /// [`EngineError::UnsupportedModel`].
    pub fn read(path: &Path, context_length: Option<u32>) -> Result<Self, EngineError> {
        let outline = model::outline(path)?;
        let changed = path.metadata().and_then(|metadata| metadata.modified());
        Ok(Self {
            context_length: lowered(outline.context_length, context_length),
            created: seconds(changed.unwrap_or(UNIX_EPOCH)),
            file_bytes: outline.file_bytes,
        })
    }
}

/// A model's own context, in tokens, or the lower one that is wanted.
pub(crate) fn lowered(own: u32, wanted: Option<u32>) -> u32 {
    wanted.unwrap_or(u32::MAX).min(own)
}

/// What a model is called after its place: the file without its extension, or the folder.
pub(crate) fn name(path: &Path) -> String {
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}
