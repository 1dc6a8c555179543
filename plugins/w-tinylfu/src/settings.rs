//! How the cache is divided.

use deja_eviction::Shares;
use serde::Deserialize;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// What can be set.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// How much of the cache is for what is new.
    window_share: f64,
    /// How much of the rest is for what was used there.
    protected_share: f64,
}

impl Default for Settings {
    fn default() -> Self {
        let Shares { window, protected } = Shares::default();
        Self {
            window_share: window,
            protected_share: protected,
        }
    }
}

impl Settings {
    /// Reads the settings that the host sends.
    pub(crate) fn parse(config: &str) -> Result<Self, String> {
        // By way of a value, whose errors tell no line and column: the host wrote this text anew.
        let settings: Self = serde_json::from_str(config)
            .and_then(serde_json::from_value)
            .map_err(|error| error.to_string())?;
        let shares = [
            ("window_share", settings.window_share),
            ("protected_share", settings.protected_share),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("`{name}` is not between 0 and 1"));
            }
        }
        Ok(settings)
    }

    /// The settings as the policy takes them.
    pub(crate) fn shares(&self) -> Shares {
        Shares {
            window: self.window_share,
            protected: self.protected_share,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_schema_tells_what_is_read() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let properties = schema["properties"].as_object().expect("it has properties");
        let defaults: Value = properties
            .iter()
            .map(|(name, property)| (name.clone(), property["default"].clone()))
            .collect();
        assert_eq!(
            defaults,
            json!({"window_share": 0.01, "protected_share": 0.8})
        );
        let settings = Settings::parse(&defaults.to_string()).expect("both are settings");
        assert_eq!(settings.shares(), Settings::default().shares());
    }

    #[test]
    fn what_is_no_share_is_refused() {
        let refused = |config: &str| Settings::parse(config).expect_err("it is refused");
        for name in ["window_share", "protected_share"] {
            let error = refused(&json!({ name: 1.5 }).to_string());
            assert_eq!(error, format!("`{name}` is not between 0 and 1"));
        }
        assert!(refused(r#"{"window": 0.1}"#).contains("unknown field `window`"));
    }
}
