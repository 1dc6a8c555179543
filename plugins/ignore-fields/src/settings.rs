//! Which fields do not matter.

use std::collections::BTreeSet;

use serde::Deserialize;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// The field that is part of every key.
const MODEL: &str = "model";

/// Which fields do not matter. What is said here of one is the name of the rule that drops it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// RFC 6901 pointers.
    pub(crate) pointers: BTreeSet<String>,
    /// Names of fields, wherever they stand.
    pub(crate) names: BTreeSet<String>,
}

impl Settings {
    /// Reads the settings that the host sends.
    pub(crate) fn parse(config: &str) -> Result<Self, String> {
        // By way of a value, whose errors tell no line and column: the host wrote this text anew.
        let settings: Self = serde_json::from_str(config)
            .and_then(serde_json::from_value)
            .map_err(|error| error.to_string())?;
        settings
            .pointers
            .iter()
            .try_for_each(|pointer| check(pointer))?;
        if settings.names.contains(MODEL) {
            return Err("`model` is part of every key".to_owned());
        }
        Ok(settings)
    }
}

/// Refuses what is no pointer, and what the host would refuse in every request.
fn check(pointer: &str) -> Result<(), String> {
    let mut steps = pointer.split('/');
    let (before, first) = (steps.next(), steps.next());
    if first == Some(MODEL) || pointer.is_empty() {
        return Err(format!("`{pointer}`: the model is part of every key"));
    }
    if before != Some("") || !is_escaped(pointer) {
        return Err(format!("`{pointer}` is no JSON pointer"));
    }
    Ok(())
}

/// Whether each `~` begins `~0` or `~1`.
fn is_escaped(pointer: &str) -> bool {
    let mut after = pointer.split('~').skip(1);
    after.all(|rest| rest.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn pointers_and_names_are_read() {
        let config = r#"{"pointers": ["/user", "/a~1b/0/~0"], "names": ["trace_id", "/x"]}"#;
        let settings = Settings::parse(config).expect("these are settings");
        assert!(settings.pointers.contains("/user") && settings.names.contains("/x"));
        let none = Settings::parse("{}").expect("nothing is set");
        assert!(none.pointers.is_empty() && none.names.is_empty());
    }

    #[test]
    fn the_model_always_matters() {
        for config in [
            r#"{"pointers": ["/user", "/model"]}"#,
            r#"{"pointers": ["/model/name"]}"#,
            r#"{"pointers": [""]}"#,
            r#"{"names": ["model"]}"#,
        ] {
            let error = Settings::parse(config).expect_err("is refused");
            assert!(error.ends_with("is part of every key"), "{error}");
        }
        Settings::parse(r#"{"pointers": ["/models", "/a/model"]}"#).expect("another field");
    }

    #[test]
    fn what_is_no_pointer_is_refused_and_named() {
        for pointer in ["user", "$.user", "/a~", "/a~2", "#/user"] {
            let config = serde_json::json!({"pointers": [pointer]}).to_string();
            let error = Settings::parse(&config).expect_err("is refused");
            assert_eq!(error, format!("`{pointer}` is no JSON pointer"));
        }
        let error = Settings::parse(r#"{"fields": []}"#).expect_err("is refused");
        assert!(error.contains("unknown field `fields`"), "{error}");
    }

    #[test]
    fn the_schema_tells_what_is_read() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        for name in schema["properties"]
            .as_object()
            .expect("it has some")
            .keys()
        {
            let config = serde_json::json!({name: ["/a"]}).to_string();
            Settings::parse(&config).expect("both agree");
        }
    }
}
