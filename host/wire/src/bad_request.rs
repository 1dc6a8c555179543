//! Requests that are refused before anybody is asked.

/// A request that no model is asked to answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong, for people.
    pub message: String,
    /// The field at fault, like `messages[0].role`.
    pub field: Option<String>,
    /// A short name for programs, like `unsupported_parameter`.
    pub code: Option<&'static str>,
}

impl BadRequest {
    /// A mistake in one field; `problem` goes on after the field's name.
    #[must_use]
    pub fn field(field: impl Into<String>, problem: &str) -> Self {
        let field = field.into();
        Self {
            message: format!("`{field}` {problem}"),
            field: Some(field),
            code: None,
        }
    }

    /// A field that would change the answer, and that the model cannot honour.
    #[must_use]
    pub fn unsupported(field: &str) -> Self {
        Self {
            message: format!("this model does not support `{field}`"),
            field: Some(field.to_owned()),
            code: Some("unsupported_parameter"),
        }
    }
}
