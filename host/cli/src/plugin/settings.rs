//! A plugin's settings, as the command line names them.

use std::{path::Path, str::FromStr};

use anyhow::Context;
use serde_json::Value;

/// Settings: a JSON object, or the name of a file with one in JSON or TOML.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(pub(crate) Value);

impl FromStr for Settings {
    type Err = anyhow::Error;

    fn from_str(argument: &str) -> anyhow::Result<Self> {
        let file = Path::new(argument);
        if argument.trim_start().starts_with('{') {
            return Ok(Self(serde_json::from_str(argument)?));
        }
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("`{argument}` is no JSON object and cannot be read"))?;
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            return Ok(Self(toml::from_str(&text)?));
        }
        Ok(Self(serde_json::from_str(&text)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_stand_in_the_argument_or_in_a_file() {
        let expected = json!({"fold_case": true});
        let folder = tempfile::tempdir().expect("there is room");
        let toml = folder.path().join("settings.toml");
        std::fs::write(&toml, "fold_case = true").expect("it can be written");
        let json = folder.path().join("settings.json");
        std::fs::write(&json, expected.to_string()).expect("it can be written");
        for argument in [
            r#"{"fold_case": true}"#,
            toml.to_str().expect("it is text"),
            json.to_str().expect("it is text"),
        ] {
            let settings: Settings = argument.parse().expect("these are settings");
            assert_eq!(settings.0, expected);
        }
        assert!("no-such-file".parse::<Settings>().is_err());
    }
}
