//! Fields that the settings name do not matter: by their place, or by their name wherever they
//! stand.

mod settings;
mod walk;

use std::sync::OnceLock;

use deja_plugin::keyer::{Decision, Keyer, Recipe, Request};

use settings::Settings;

/// The keyer.
pub struct IgnoreFields;

impl Keyer for IgnoreFields {
    fn decide(request: &Request) -> Result<Decision, String> {
        let settings = SETTINGS.get_or_init(Settings::default);
        let body = serde_json::from_slice(&request.body()).map_err(|error| error.to_string())?;
        Ok(Decision::Cache(Recipe::from(walk::edits(&body, settings))))
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn configure(config: &str) -> Result<(), String> {
    let settings = Settings::parse(config)?;
    SETTINGS
        .set(settings)
        .map_err(|_| "configured twice".to_owned())
}

deja_plugin::export_keyer!(IgnoreFields, settings::SCHEMA, configure);
