//! How a model that was trained to embed texts makes one vector of many, as sentence-transformers
//! write it down.

use std::path::Path;

use serde::Deserialize;

use super::files::json_if_there;
use crate::{EngineError, Pooling};

/// `1_Pooling/config.json`. Later versions name the one mode that earlier ones had a field for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode: Option<String>,
    pooling_mode_mean_tokens: bool,
    /// The mean up to its length, which is one in the end.
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// The folder's pooling; the mean where it tells none, as of models that were not trained to embed.
pub(super) fn pooling(folder: &Path) -> Result<Pooling, EngineError> {
    let path = folder.join("1_Pooling/config.json");
    let config: Option<PoolingConfig> = json_if_there(&path)?;
    let known = config.map_or(Some(Pooling::Mean), |config| config.known());
    known.ok_or_else(|| EngineError::UnsupportedModel {
        path,
        reason: "its pooling is neither the mean nor the last token".to_owned(),
    })
}

impl PoolingConfig {
    fn known(&self) -> Option<Pooling> {
        let mean = self.pooling_mode_mean_tokens || self.pooling_mode_mean_sqrt_len_tokens;
        let mode = self.pooling_mode.as_deref();
        match (mode, mean, self.pooling_mode_lasttoken) {
            (Some("mean" | "mean_sqrt_len_tokens"), ..) | (None, true, false) => {
                Some(Pooling::Mean)
            }
            (Some("lasttoken"), ..) | (None, false, true) => Some(Pooling::LastToken),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    fn of(config: &Value) -> Result<Pooling, EngineError> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("1_Pooling")).expect("makes a folder");
        let path = folder.path().join("1_Pooling/config.json");
        fs::write(path, config.to_string()).expect("writes");
        pooling(folder.path())
    }

    #[test]
    fn the_folder_tells_how_vectors_are_pooled() {
        let mean = json!({
            "word_embedding_dimension": 384, "pooling_mode_cls_token": false,
            "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false,
        });
        let last = json!({"pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true});
        for (config, expected) in [
            (mean, Pooling::Mean),
            (last, Pooling::LastToken),
            (json!({"pooling_mode": "mean"}), Pooling::Mean),
            (json!({"pooling_mode": "lasttoken"}), Pooling::LastToken),
        ] {
            assert_eq!(of(&config), Ok(expected), "{config}");
        }
        let without = tempfile::tempdir().expect("a temporary folder can be made");
        assert_eq!(pooling(without.path()), Ok(Pooling::Mean));
    }

    #[test]
    fn another_pooling_is_refused() {
        for config in [
            json!({"pooling_mode_cls_token": true}),
            json!({"pooling_mode": "max"}),
            json!({"pooling_mode_mean_tokens": true, "pooling_mode_lasttoken": true}),
        ] {
            let refused = of(&config);
            assert!(
                matches!(refused, Err(EngineError::UnsupportedModel { .. })),
                "{config}: {refused:?}"
            );
        }
    }
}
