//! The settings of a plugin that has none.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_accepted() {
        assert_eq!(no_settings("{}"), Ok(()));
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let error = no_settings(r#"{"mask_date": false}"#).expect_err("has a setting");
        assert_eq!(error, "unknown setting `mask_date`; this plugin has none");
    }
}
