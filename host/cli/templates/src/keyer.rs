//! The end user's id does not matter, nor, if that is set, upper and lower case in what the user
//! says.

use deja_plugin::keyer::{Decision, Edit, Request, Role};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the configuration may set.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Whether upper and lower case do not matter in what the user says.
    fold_case: bool,
}

/// Says what in a request does not matter: everything else stays in the key.
fn decide(request: &Request, settings: &Settings) -> Result<Decision, String> {
    let mut edits = Vec::new();
    if request.get("/user").is_some() {
        edits.push(Edit::remove("drop-user", "/user"));
    }
    if settings.fold_case {
        for text in request.texts(Role::User) {
            edits.extend(text.becomes("fold-case", &text.content.to_lowercase()));
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
    fn key(user: &str, question: &str, settings: &Settings) -> Value {
        let body = json!({"user": user, "messages": [{"role": "user", "content": question}]});
        let request = Request::new(Endpoint::ChatCompletions, body.clone());
        match decide(&request, settings) {
            Ok(Decision::Cache(recipe)) => canonical(&body, &recipe.edits),
            _ => panic!("it is cached"),
        }
    }

    #[test]
    fn who_asks_does_not_matter_and_what_is_asked_does() {
        let settings = Settings::default();
        let ada = key("ada", "Why?", &settings);
        assert_eq!(ada, key("bob", "Why?", &settings));
        assert_ne!(ada, key("ada", "why?", &settings));
    }

    #[test]
    fn case_does_not_matter_if_that_is_set() {
        let settings = Settings { fold_case: true };
        assert_eq!(key("ada", "Why?", &settings), key("ada", "WHY?", &settings));
    }
}
