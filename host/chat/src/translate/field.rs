//! Reading a request's body, so that a mistake can be named by its place.

use serde_json::Value;

use crate::BadRequest;

/// A value of a request's body, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    /// What stands there.
    pub(super) value: &'a Value,
    path: String,
}

impl<'a> Field<'a> {
    /// The whole body.
    pub(super) fn body(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// The field of this name, unless it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            path: self.path_of(name),
        })
    }

    /// The field of this name.
    pub(super) fn need(&self, name: &str) -> Result<Self, BadRequest> {
        self.get(name)
            .ok_or_else(|| BadRequest::field(self.path_of(name), "is missing"))
    }

    /// The string under this name.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, BadRequest> {
        self.need(name)?.string()
    }

    /// The string that stands here.
    pub(super) fn string(&self) -> Result<&'a str, BadRequest> {
        let string = self.value.as_str();
        string.ok_or_else(|| self.wrong("must be a string"))
    }

    /// The items of the list that stands here.
    pub(super) fn items(&self) -> Result<Vec<Self>, BadRequest> {
        let items = self.value.as_array();
        let items = items.ok_or_else(|| self.wrong("must be a list"))?;
        let item = |(index, value)| Self {
            value,
            path: format!("{}[{index}]", self.path),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// All fields that are not null, with their names.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let names = self
            .value
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys());
        names.filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// What stands here is a mistake; `problem` goes on after the field's name.
    pub(super) fn wrong(&self, problem: &str) -> BadRequest {
        BadRequest::field(self.path.as_str(), problem)
    }

    /// What stands here would change the answer, and has no form in the other API.
    pub(super) fn unsupported(&self) -> BadRequest {
        BadRequest::unsupported(&self.path)
    }

    /// This object is of a type that has no form in the other API.
    pub(super) fn unknown_type(&self) -> BadRequest {
        let problem = match self.value["type"].as_str() {
            Some(kind) => format!("is `{kind}`, which the model's server does not take"),
            None => "must be a string".to_owned(),
        };
        BadRequest::field(self.path_of("type"), &problem)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}
