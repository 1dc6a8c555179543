//! What a plugin is told by the configuration.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// JSON Schema of the settings of a plugin that has none.
pub const NO_SETTINGS: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// Accepts the settings of a plugin that has none, and names what else there is.
pub fn no_settings(config: &str) -> Result<(), String> {
    // The host sends a JSON object, and one without a string in it has no member. A parser would
    // add 40 KB to every plugin.
    match config.split('"').nth(1) {
        None => Ok(()),
        Some(name) => Err(format!("unknown setting `{name}`; this plugin has none")),
    }
}

/// Settings that a plugin takes. Every struct is such that derives `Default`, serde's `Deserialize`
/// and schemars' `JsonSchema`; with `#[serde(default, deny_unknown_fields)]` each setting may be
/// left out, and a misspelt one is refused.
pub trait Settings: Default + Send + Sync + 'static {
    /// Reads the settings that the host sends.
    fn parse(config: &str) -> Result<Self, String>;

    /// JSON Schema of the settings.
    fn schema() -> String;
}

impl<S: Default + DeserializeOwned + JsonSchema + Send + Sync + 'static> Settings for S {
    fn parse(config: &str) -> Result<Self, String> {
        // By way of a value, whose errors tell no line and column: the host wrote this text anew.
        serde_json::from_str::<Value>(config)
            .and_then(serde_json::from_value)
            .map_err(|error| error.to_string())
    }

    fn schema() -> String {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
        });
        let schema = settings.into_generator().into_root_schema_for::<S>();
        schema.to_value().to_string()
    }
}

/// The settings of a plugin that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoSettings;

impl Settings for NoSettings {
    fn parse(config: &str) -> Result<Self, String> {
        no_settings(config).map(|()| Self)
    }

    fn schema() -> String {
        NO_SETTINGS.to_owned()
    }
}

/// Where an instance keeps its settings.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct SettingsCell<S>(OnceLock<S>);

impl<S: Settings> SettingsCell<S> {
    /// One without settings.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Takes the settings that the host sends.
    pub fn configure(&self, config: &str) -> Result<(), String> {
        let settings = S::parse(config)?;
        self.0
            .set(settings)
            .map_err(|_| "configured twice".to_owned())
    }

    /// The settings, or those that hold unless told otherwise.
    pub fn get(&self) -> &S {
        self.0.get_or_init(S::default)
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;

    /// What the tests' plugin takes.
    #[derive(Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        /// Whether the date does not matter.
        mask_date: bool,
        fields: Vec<String>,
    }

    #[test]
    fn an_empty_object_is_accepted() {
        assert_eq!(no_settings("{}"), Ok(()));
        assert_eq!(NoSettings::parse("{}"), Ok(NoSettings));
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let error = no_settings(r#"{"mask_date": false}"#).expect_err("has a setting");
        assert_eq!(error, "unknown setting `mask_date`; this plugin has none");
        let error = Example::parse(r#"{"mask_dat": false}"#).expect_err("it is misspelt");
        assert!(error.contains("`mask_dat`") && error.contains("`mask_date`"));
    }

    #[test]
    fn a_struct_tells_its_own_schema() {
        let schema: Value = serde_json::from_str(&Example::schema()).expect("it is JSON");
        assert_eq!(
            schema.pointer("/properties/mask_date/description"),
            Some(&Value::from("Whether the date does not matter."))
        );
        assert_eq!(schema["properties"]["fields"]["type"], "array");
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn settings_are_kept_from_the_first_call_on() {
        let cell = SettingsCell::<Example>::new();
        cell.configure(r#"{"mask_date": true}"#)
            .expect("it is a setting");
        assert!(cell.get().mask_date);
        cell.configure("{}").expect_err("it has its settings");
    }
}
