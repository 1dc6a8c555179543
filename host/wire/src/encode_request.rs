//! What all encoders of requests share: the encoded request, and how they leave something out.

use serde_json::{Map, Value};

use crate::{
    BadRequest, Content, Part, Request, ToolKind, ToolSpec, openai::parameters::IsNeutral,
};

/// What happens to a part of a request that would change the answer and that the server's API has
/// no form for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// The request is refused, with the field's name.
    #[default]
    Refuse,
    /// The part is left out.
    Drop,
}

/// A request in the form of a server's API.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedRequest {
    /// The body to send.
    pub body: Value,
    /// What was left out, as the client's body names it.
    pub dropped: Vec<String>,
}

/// What the form of a server's API leaves out of a request.
#[derive(Debug)]
pub(crate) struct Omissions {
    unsupported: Unsupported,
    dropped: Vec<String>,
}

impl Omissions {
    /// Starts with what the request was decoded without.
    pub(crate) fn new(request: &Request, unsupported: Unsupported) -> Self {
        Self {
            unsupported,
            dropped: request.left_out.clone(),
        }
    }

    /// Records what is left out without changing the answer.
    pub(crate) fn leave_out(&mut self, place: impl Into<String>) {
        self.dropped.push(place.into());
    }

    /// Refuses the request with this error, or records its field as left out.
    pub(crate) fn refuse(&mut self, error: BadRequest) -> Result<(), BadRequest> {
        match self.unsupported {
            Unsupported::Refuse => Err(error),
            Unsupported::Drop => {
                self.dropped.push(error.field.unwrap_or(error.message));
                Ok(())
            }
        }
    }

    /// Returns what was read, or handles its error as that of an unsupported part.
    pub(crate) fn or_omit<T>(
        &mut self,
        read: Result<Option<T>, BadRequest>,
    ) -> Result<Option<T>, BadRequest> {
        read.or_else(|error| self.refuse(error).map(|()| None))
    }

    /// Returns the fields that pass unchanged: those that are neither `only_a_wish`, which are left
    /// out, nor `unsupported`, which are refused unless their value is neutral.
    pub(crate) fn passing(
        &mut self,
        fields: &Map<String, Value>,
        only_a_wish: &[&str],
        unsupported: &[(&str, IsNeutral)],
    ) -> Result<Map<String, Value>, BadRequest> {
        let mut passing = Map::new();
        for (name, value) in fields {
            let rule = unsupported.iter().find(|(known, _)| known == name);
            match rule {
                Some((_, is_neutral)) if is_neutral(value) => {}
                Some(_) => self.refuse(BadRequest::unsupported(name))?,
                None if only_a_wish.contains(&name.as_str()) => self.leave_out(name),
                None => {
                    passing.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(passing)
    }

    /// Returns the request that has these fields, and of the `others` those that are not among
    /// them.
    pub(crate) fn with_body(
        self,
        mut body: Map<String, Value>,
        others: Map<String, Value>,
    ) -> EncodedRequest {
        for (name, value) in others {
            body.entry(name).or_insert(value);
        }
        EncodedRequest {
            body: Value::Object(body),
            dropped: self.dropped,
        }
    }
}

/// Returns the error for a part that the server's API has no form for.
pub(crate) fn unsupported_part(part: &Part) -> BadRequest {
    match &part.content {
        Content::Other(value) => unknown_type(&part.place, value),
        _ => BadRequest::field(&part.place, "has no form in the API of the model's server"),
    }
}

/// Returns the error for a tool that the server's API has no form for.
pub(crate) fn unsupported_tool(tool: &ToolSpec) -> BadRequest {
    match &tool.kind {
        ToolKind::Hosted(value) => unknown_type(&tool.place, value),
        ToolKind::Custom { .. } => refused_type(&tool.place, "custom"),
        ToolKind::Function { .. } => refused_type(&tool.place, "function"),
    }
}

fn unknown_type(place: &str, value: &Value) -> BadRequest {
    refused_type(place, value["type"].as_str().unwrap_or_default())
}

fn refused_type(place: &str, kind: &str) -> BadRequest {
    let problem = format!("is `{kind}`, which the model's server does not take");
    BadRequest::field(format!("{place}.type"), &problem)
}

/// Returns an object of the fields that are not null.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
