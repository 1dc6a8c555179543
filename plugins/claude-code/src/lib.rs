//! What coding agents change from one session to the next, and what the model does not see of a
//! request, does not matter. Everything else does: text is never made lower case or trimmed, since
//! it is code.
//!
//! Elements are known by their shape, not by the endpoint: agents reach models through gateways
//! that carry the same elements over from one API to the other.

mod body;
mod settings;
mod texts;
mod tools;
mod user;
mod walk;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use deja_plugin::keyer::{Decision, Keyer, Recipe, Request};

use body::Body;
use settings::Settings;

/// The keyer.
pub struct ClaudeCode;

impl Keyer for ClaudeCode {
    fn decide(request: &Request) -> Result<Decision, String> {
        let settings = SETTINGS.get_or_init(Settings::default);
        Ok(Decision::Cache(recipe(&request.body(), settings)))
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn configure(config: &str) -> Result<(), String> {
    let settings = Settings::parse(config)?;
    SETTINGS
        .set(settings)
        .map_err(|_| "configured twice".to_owned())
}

/// What does not matter in a body. In one of another shape all does.
fn recipe(body: &[u8], settings: &Settings) -> Recipe {
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else {
        return Recipe::from(Vec::new());
    };
    let partition = settings.partition_by_user.then(|| body.user_id());
    Recipe {
        partition: partition.flatten().map(user::partition),
        ..Recipe::from(walk::edits(&body, settings))
    }
}

deja_plugin::export_keyer!(ClaudeCode, settings::SCHEMA, configure);
