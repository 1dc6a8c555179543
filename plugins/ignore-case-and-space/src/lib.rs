//! Upper and lower case, and how much space stands between words, do not matter in what the user
//! says. In code they often do: this keyer is for questions in plain words.

mod normalise;

use deja_plugin::keyer::{Decision, Keyer, Recipe, Request, Role};

/// The keyer.
pub struct IgnoreCaseAndSpace;

impl Keyer for IgnoreCaseAndSpace {
    fn decide(request: &Request) -> Result<Decision, String> {
        let mut edits = Vec::new();
        for text in request.texts(Role::User) {
            edits.extend(normalise::edits(&text.pointer, &text.content));
        }
        Ok(Decision::Cache(Recipe::from(edits)))
    }
}

deja_plugin::export_keyer!(IgnoreCaseAndSpace);
