//! What is drawn, and what becomes of it.

use serde::Deserialize;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// What happens to a request whose answer is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Above {
    /// The cache is left out.
    #[default]
    Bypass,
    /// It gets an answer that is held, but a new one is not kept.
    Lookup,
}

/// What is drawn, and what becomes of it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The highest temperature that counts as none.
    pub(crate) max_temperature: f64,
    /// What counts where a request names none.
    pub(crate) default_temperature: f64,
    pub(crate) above: Above,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_temperature: 0.0,
            // Both APIs say so. A local server may have another default.
            default_temperature: 1.0,
            above: Above::default(),
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
        for (name, temperature) in [
            ("max_temperature", settings.max_temperature),
            ("default_temperature", settings.default_temperature),
        ] {
            if temperature < 0.0 {
                return Err(format!("`{name}` is below 0"));
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (config, reason) in [
            (r#"{"max_temperature": -1}"#, "`max_temperature` is below 0"),
            (
                r#"{"default_temperature": -0.1}"#,
                "`default_temperature` is below 0",
            ),
            (
                r#"{"above": "store"}"#,
                "unknown variant `store`, expected `bypass` or `lookup`",
            ),
        ] {
            assert_eq!(Settings::parse(config).expect_err("is refused"), reason);
        }
        let error = Settings::parse(r#"{"temperature": 1}"#).expect_err("is refused");
        assert!(error.contains("unknown field `temperature`"), "{error}");
    }

    #[test]
    fn the_schema_tells_what_is_read_and_its_defaults() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let default = |name: &str| schema["properties"][name]["default"].clone();
        let settings = Settings::default();
        assert_eq!(default("max_temperature"), json!(settings.max_temperature));
        assert_eq!(
            default("default_temperature"),
            json!(settings.default_temperature)
        );
        for above in schema["properties"]["above"]["enum"]
            .as_array()
            .into_iter()
            .flatten()
        {
            Settings::parse(&json!({"above": above}).to_string()).expect("both agree");
        }
        assert_eq!(default("above"), "bypass");
    }
}
