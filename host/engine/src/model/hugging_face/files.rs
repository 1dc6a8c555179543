//! Reading the files of a model folder, with errors that name them.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use safetensors::tensor::Metadata;
use serde::de::DeserializeOwned;

use crate::EngineError;

/// As in the library `safetensors`.
const MAX_HEADER_BYTES: u64 = 100_000_000;

pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, EngineError> {
    json_if_there(path)?.ok_or_else(|| broken(path, "it is missing"))
}

pub(super) fn json_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, EngineError> {
    let Some(text) = text_if_there(path)? else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| broken(path, error.to_string()))
}

pub(super) fn text_if_there(path: &Path) -> Result<Option<String>, EngineError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(path, error.to_string())),
    }
}

/// The length of a file, in bytes.
pub(super) fn length(path: &Path) -> Result<u64, EngineError> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(broken(path, "it is missing")),
        Err(error) => Err(broken(path, error.to_string())),
    }
}

/// Whether a safetensors file has a sound header and all the data that it tells of.
pub(crate) fn check_safetensors(path: &Path) -> Result<(), EngineError> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => broken(path, "it is missing"),
        _ => broken(path, error.to_string()),
    })?;
    let length = file
        .metadata()
        .map_err(|error| broken(path, error.to_string()))?
        .len();
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix)
        .map_err(|_| broken(path, "it is cut short"))?;
    let header_length = u64::from_le_bytes(prefix);
    if header_length > MAX_HEADER_BYTES {
        return Err(broken(path, "it does not begin like a safetensors file"));
    }
    let mut header = Vec::new();
    file.take(header_length)
        .read_to_end(&mut header)
        .map_err(|error| broken(path, error.to_string()))?;
    if header.len() as u64 != header_length {
        return Err(broken(path, "it ends in the middle of its header"));
    }
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| broken(path, format!("its header is damaged: {error}")))?;
    let expected = (metadata.data_len() as u64).checked_add(8 + header_length);
    let expected = expected.ok_or_else(|| broken(path, "the lengths in its header overflow"))?;
    if expected != length {
        return Err(broken(
            path,
            format!("it has {length} bytes, not {expected}"),
        ));
    }
    Ok(())
}

fn broken(path: &Path, reason: impl Into<String>) -> EngineError {
    EngineError::ModelBroken {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_whose_lengths_overflow_is_refused() {
        let length = u64::MAX;
        let header = format!(
            r#"{{"t": {{"dtype": "U8", "shape": [{length}], "data_offsets": [0, {length}]}}}}"#
        );
        let prefix = (header.len() as u64).to_le_bytes();
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        std::fs::write(file.path(), [&prefix, header.as_bytes()].concat()).expect("writes");
        let error = check_safetensors(file.path()).expect_err("it is refused");
        assert!(error.to_string().contains("overflow"), "{error}");
    }
}
