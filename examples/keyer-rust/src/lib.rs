//! The end user's id, and upper and lower case in what the user says, do not matter.

use deja_plugin::keyer::{Decision, Edit, Request, Role};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the configuration may set.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// JSON pointer to the field that does not matter.
    drop: String,
    /// Whether upper and lower case do not matter in what the user says.
    fold_case: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            drop: "/user".to_owned(),
            fold_case: true,
        }
    }
}

fn decide(request: &Request, settings: &Settings) -> Result<Decision, String> {
    let mut edits = Vec::new();
    if request.get(&settings.drop).is_some() {
        edits.push(Edit::remove("drop", &settings.drop));
    }
    if settings.fold_case {
        for text in request.texts(Role::User) {
            edits.extend(text.becomes("case", &text.content.to_lowercase()));
        }
    }
    Ok(edits.into())
}

deja_plugin::keyer!(decide, Settings);

#[cfg(test)]
mod tests {
    use deja_plugin::keyer::Endpoint;
    use deja_plugin::testing::canonical;
    use serde_json::{Value, json};

    use super::*;

    /// What is left of a request in the key.
    fn key(body: &Value, settings: &Settings) -> Value {
        let request = Request::new(Endpoint::ChatCompletions, body.clone());
        match decide(&request, settings) {
            Ok(Decision::Cache(recipe)) => canonical(body, &recipe.edits),
            _ => panic!("it is cached"),
        }
    }

    fn body(user: &str, question: &str) -> Value {
        json!({"user": user, "messages": [
            {"role": "system", "content": "Be BRIEF."},
            {"role": "user", "content": question},
        ]})
    }

    #[test]
    fn who_asks_and_in_which_case_does_not_matter() {
        let settings = Settings::default();
        let (ada, bob) = (body("ada", "Why?"), body("bob", "WHY?"));
        assert_eq!(key(&ada, &settings), key(&bob, &settings));
        assert_ne!(key(&ada, &settings), key(&body("ada", "How?"), &settings));
        assert_eq!(key(&ada, &settings)["messages"][0]["content"], "Be BRIEF.");
    }

    #[test]
    fn case_matters_if_that_is_set() {
        let settings = Settings {
            fold_case: false,
            ..Settings::default()
        };
        assert_ne!(
            key(&body("ada", "Why?"), &settings),
            key(&body("ada", "WHY?"), &settings)
        );
    }
}
