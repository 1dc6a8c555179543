//! Tools in namespaces, which only this API has: elsewhere their names say which.

use std::collections::HashMap;

use serde_json::Value;

/// Stands between the name of a namespace and that of its tool.
const SEPARATOR: &str = "__";

/// Returns the name that a namespace's tool has where there are no namespaces.
pub(super) fn flat(namespace: &str, name: &str) -> String {
    format!("{namespace}{SEPARATOR}{name}")
}

/// The tools in namespaces that a request offers.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// The namespace and the name of each, by the name that it has elsewhere.
    tools: HashMap<String, (String, String)>,
}

impl Namespaces {
    /// Returns those of a request with this body.
    pub(super) fn of(body: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut tools = HashMap::new();
        for space in list(&body["tools"]) {
            for tool in list(&space["tools"]) {
                if let (Some(space), Some(name)) = (space["name"].as_str(), tool["name"].as_str()) {
                    tools.insert(flat(space, name), (space.to_owned(), name.to_owned()));
                }
            }
        }
        Self { tools }
    }

    /// Returns the namespace and the name of a tool in one, by the name that it has elsewhere.
    pub(super) fn find(&self, flat: &str) -> Option<&(String, String)> {
        self.tools.get(flat)
    }
}
