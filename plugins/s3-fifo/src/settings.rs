//! How the cache is divided.

use serde::Deserialize;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// What can be set.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// How much of the cache is for what is new.
    pub(crate) small_share: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { small_share: 0.1 }
    }
}

impl Settings {
    /// Reads the settings that the host sends.
    pub(crate) fn parse(config: &str) -> Result<Self, String> {
        // By way of a value, whose errors tell no line and column: the host wrote this text anew.
        let settings: Self = serde_json::from_str(config)
            .and_then(serde_json::from_value)
            .map_err(|error| error.to_string())?;
        if (0.0..=1.0).contains(&settings.small_share) {
            Ok(settings)
        } else {
            Err("`small_share` is not between 0 and 1".to_owned())
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
        let share = Settings::parse("{}").expect("nothing is set").small_share;
        let expected = json!({"small_share": share});
        let properties = schema["properties"].as_object().expect("it has properties");
        for (name, property) in properties {
            assert_eq!(property["default"], expected[name], "{name}");
        }
        Settings::parse(&expected.to_string()).expect("the schema and the settings agree");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for config in [r#"{"small_share": 1.5}"#, r#"{"small_share": -0.1}"#] {
            let error = Settings::parse(config).expect_err("it is refused");
            assert_eq!(error, "`small_share` is not between 0 and 1");
        }
        let error = Settings::parse(r#"{"small": 0.1}"#).expect_err("it is unknown");
        assert!(error.contains("unknown field `small`"), "{error}");
    }
}
