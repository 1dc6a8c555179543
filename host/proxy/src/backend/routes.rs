//! Which backend answers for which model.

use std::sync::Arc;

use globset::{Glob, GlobMatcher};

use super::Backend;

/// All backends, in the order in which they are asked whether a model is theirs.
#[derive(Clone, Default)]
pub struct Backends(Vec<Arc<Routed>>);

/// A backend and the models that it answers for.
pub struct Routed {
    /// Its name, for people.
    pub name: String,
    /// Who answers.
    pub backend: Backend,
    /// The models that it answers for.
    pub models: Vec<Pattern>,
    /// Other names: who asks for one means the backend's own name beside it.
    pub aliases: Vec<(Pattern, String)>,
}

/// A pattern of names, in which `*` stands for any characters, `/` among them.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no pattern: {reason}")]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A bracket is not closed, or the like.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        // Only the asterisk is special: names of models have brackets in them.
        let parts: Vec<_> = pattern.split('*').map(globset::escape).collect();
        let glob = Glob::new(&parts.join("*")).map_err(|error| PatternError {
            pattern: pattern.to_owned(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self {
            text: pattern.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }

    fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn is_a_name(&self) -> bool {
        !self.text.contains('*')
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Pattern {}

/// The way of one request to its backend.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) to: Arc<Routed>,
    /// The name by which the backend knows the model; empty if none was asked for.
    pub(crate) model: String,
}

impl Routed {
    /// The names that stand for another and are no patterns.
    pub(crate) fn alias_names(&self) -> impl Iterator<Item = &str> {
        let names = self.aliases.iter().map(|(asked, _)| asked);
        names
            .filter(|pattern| pattern.is_a_name())
            .map(Pattern::text)
    }

    /// Whether it answers for a model of its own by this name.
    pub(crate) fn answers_for(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model))
    }

    /// Whether this is the very name of the model that it runs.
    fn is_own_model(&self, asked: &str) -> bool {
        self.backend.own_model() == Some(asked) && self.answers_for(asked)
    }

    fn resolve(&self, asked: &str) -> Option<String> {
        let alias = self
            .aliases
            .iter()
            .find(|(pattern, _)| pattern.matches(asked));
        match alias {
            Some((_, meant)) => Some(meant.clone()),
            None => self.answers_for(asked).then(|| asked.to_owned()),
        }
    }
}

impl Backends {
    /// These, in this order.
    #[must_use]
    pub fn new(backends: impl IntoIterator<Item = Arc<Routed>>) -> Self {
        Self(backends.into_iter().collect())
    }

    /// The way to the one that runs this very model, or else to the first that answers for it.
    /// Whoever names none gets the first.
    pub(crate) fn route(&self, asked: &str) -> Option<Route> {
        if asked.is_empty() {
            let to = self.0.first()?.clone();
            return Some(Route {
                to,
                model: String::new(),
            });
        }
        if let Some(to) = self.0.iter().find(|to| to.is_own_model(asked)) {
            return Some(Route {
                to: to.clone(),
                model: asked.to_owned(),
            });
        }
        self.0.iter().find_map(|to| {
            Some(Route {
                model: to.resolve(asked)?,
                to: to.clone(),
            })
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Routed>> {
        self.0.iter()
    }
}

impl Route {
    /// What is part of the key: the same question to another backend or model is another.
    pub(crate) fn identity(&self) -> String {
        format!("{} {}", self.to.backend.identity(), self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::upstream;

    fn backends() -> Backends {
        let pattern = |text: &str| Pattern::new(text).expect("it is a pattern");
        let routed = |name: &str, models: &[&str], aliases: &[(&str, &str)]| {
            let alias = |&(asked, meant): &(&str, &str)| (pattern(asked), meant.to_owned());
            Arc::new(Routed {
                name: name.to_owned(),
                backend: Backend::Upstream(Arc::new(upstream::testing::upstream())),
                models: models.iter().map(|model| pattern(model)).collect(),
                aliases: aliases.iter().map(alias).collect(),
            })
        };
        Backends::new([
            routed(
                "qwen",
                &["qwen/*", "*-coder"],
                &[("claude-*", "qwen/3"), ("fast", "qwen/1")],
            ),
            routed("rest", &["gpt-*"], &[]),
        ])
    }

    #[test]
    fn the_first_that_answers_for_a_model_is_asked() {
        let backends = backends();
        let way = |asked: &str| {
            let route = backends.route(asked)?;
            Some((route.to.name.clone(), route.model))
        };
        let to = |name: &str, model: &str| Some((name.to_owned(), model.to_owned()));
        assert_eq!(way("qwen/a/b"), to("qwen", "qwen/a/b"));
        assert_eq!(way("big-coder"), to("qwen", "big-coder"));
        assert_eq!(way("claude-opus-4"), to("qwen", "qwen/3"));
        assert_eq!(way("gpt-5"), to("rest", "gpt-5"));
        assert_eq!(way("mistral"), None);
        assert_eq!(way(""), to("qwen", ""));
    }

    #[test]
    fn only_names_that_are_no_patterns_are_listed() {
        let backends = backends();
        let first = backends.iter().next().expect("there are two");
        assert_eq!(first.alias_names().collect::<Vec<_>>(), ["fast"]);
    }

    #[test]
    fn only_the_asterisk_is_special() {
        let pattern = |text: &str| Pattern::new(text).expect("it is a pattern");
        assert!(pattern("opus[1m]").matches("opus[1m]"));
        assert!(!pattern("opus?").matches("opus4"));
        assert!(pattern("*{a,b}").matches("x/{a,b}"));
    }
}
