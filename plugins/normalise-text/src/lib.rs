//! How a text is spaced and encoded does not matter, nor what the settings' patterns find in it.

mod normalise;
mod settings;
mod space;

use std::sync::OnceLock;

use deja_plugin::keyer::{Decision, Keyer, Recipe, Request};

use settings::Settings;

/// The keyer.
pub struct NormaliseText;

impl Keyer for NormaliseText {
    fn decide(request: &Request) -> Result<Decision, String> {
        let settings = SETTINGS.get_or_init(Settings::default);
        let mut edits = Vec::new();
        for &role in &settings.roles {
            for text in request.texts(role.into()) {
                edits.extend(normalise::edits(&text.pointer, &text.content, settings));
            }
        }
        Ok(Decision::Cache(Recipe::from(edits)))
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn configure(config: &str) -> Result<(), String> {
    let settings = Settings::parse(config)?;
    SETTINGS
        .set(settings)
        .map_err(|_| "configured twice".to_owned())
}

deja_plugin::export_keyer!(NormaliseText, settings::SCHEMA, configure);
