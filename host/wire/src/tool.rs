//! The tools that a model may call.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A function that the client can run for the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// How the model calls it.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments, an object's.
    pub parameters: Value,
    /// Whether its calls have to follow that schema, also where the model calls as it likes.
    pub strict: bool,
}

/// Whether the model calls tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// If it finds it right.
    #[default]
    Auto,
    /// Never.
    None,
    /// At least one.
    Required,
    /// This one.
    Function(String),
}
