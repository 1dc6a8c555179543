//! Whose texts are normalised, and how.

use std::collections::BTreeSet;

use deja_plugin::keyer;
use regex_lite::Regex;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::normalise::NFC;
use crate::space::{LEADING_SPACE, SPACE_RUNS, Space, TRAILING_SPACE};

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// The names that no replacement can have.
const OWN_RULES: [&str; 4] = [LEADING_SPACE, NFC, SPACE_RUNS, TRAILING_SPACE];

/// Whose texts are normalised, and how.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) space: Space,
    /// Whether words count as in normal form C.
    pub(crate) nfc: bool,
    pub(crate) replacements: Vec<Replacement>,
}

/// Who says a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// The one who sets the rules.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

impl From<Role> for keyer::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::System => Self::System,
            Role::User => Self::User,
            Role::Assistant => Self::Assistant,
            Role::Tool => Self::Tool,
        }
    }
}

/// A rule of the configuration's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replacement {
    /// The rule's name.
    pub(crate) name: String,
    /// What it finds.
    #[serde(rename = "pattern", deserialize_with = "pattern")]
    pub(crate) regex: Regex,
    /// What stands there instead; `$1` is what the first group found.
    #[serde(default)]
    pub(crate) with: String,
}

fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    let regex = Regex::new(&pattern);
    regex.map_err(|error| D::Error::custom(format_args!("pattern `{pattern}`: {error}")))
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Models quote their own words and tools' results, to the letter.
            roles: BTreeSet::from([Role::System, Role::User]),
            space: Space::default(),
            nfc: true,
            replacements: Vec::new(),
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
        let mut names = BTreeSet::from(OWN_RULES);
        for Replacement { name, .. } in &settings.replacements {
            if name.is_empty() || !names.insert(name) {
                return Err(format!(
                    "a replacement cannot be named `{name}`: names are unique"
                ));
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(config: &Value) -> String {
        Settings::parse(&config.to_string()).expect_err("is refused")
    }

    #[test]
    fn unless_told_otherwise_what_tools_and_the_model_say_stays() {
        let settings = Settings::parse("{}").expect("nothing is set");
        assert_eq!(settings.roles, BTreeSet::from([Role::System, Role::User]));
        let settings = Settings::parse(r#"{"roles": ["tool"]}"#).expect("it is a role");
        assert_eq!(settings.roles, BTreeSet::from([Role::Tool]));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_named() {
        let replacement = |name: &str, pattern: &str| json!({"name": name, "pattern": pattern});
        let error = refused(&json!({"replacements": [replacement("a", "(")]}));
        assert!(error.starts_with("pattern `(`: "), "{error}");
        for name in ["", "nfc", "a"] {
            let two = [replacement("a", "x"), replacement(name, "y")];
            let error = refused(&json!({"replacements": two}));
            assert!(error.starts_with(&format!("a replacement cannot be named `{name}`")));
        }
        assert!(refused(&json!({"roles": ["tools"]})).contains("unknown variant `tools`"));
        assert!(refused(&json!({"case": true})).contains("unknown field `case`"));
    }

    #[test]
    fn the_schema_tells_what_is_read_and_its_defaults() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let properties = &schema["properties"];
        let settings = Settings::default();
        assert_eq!(properties["nfc"]["default"], settings.nfc);
        assert_eq!(properties["roles"]["default"], json!(["system", "user"]));
        assert_eq!(properties["space"]["default"], "lines");
        let names = |names: &Value| names.as_array().cloned().expect("they are listed");
        for space in names(&properties["space"]["enum"]) {
            Settings::parse(&json!({"space": space}).to_string()).expect("both agree");
        }
        let roles = json!({"roles": properties["roles"]["items"]["enum"]});
        let settings = Settings::parse(&roles.to_string()).expect("both agree");
        assert_eq!(settings.roles.len(), 4);
    }
}
