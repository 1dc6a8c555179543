//! What Codex changes from one session to the next does not matter. Everything else does: text is
//! never made lower case or trimmed, since it is code.
//!
//! Only requests of Codex to the Responses API are edited, known by `client_metadata`, which other
//! clients do not send.

mod settings;
mod texts;
mod walk;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use deja_plugin::keyer::{Decision, Endpoint, Request};

use settings::Settings;

fn decide(request: &Request, settings: &Settings) -> Result<Decision, String> {
    if request.endpoint() != Endpoint::Responses {
        return Ok(Vec::new().into());
    }
    let body = serde_json::from_slice(&request.body()).map_err(|error| error.to_string())?;
    Ok(walk::edits(&body, settings).into())
}

deja_plugin::keyer!(decide, Settings);
