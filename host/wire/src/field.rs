//! Reading a request's body, so that a mistake can be named by its place.

use std::ops::RangeBounds;

use serde_json::{Map, Value};

use crate::{BadRequest, Content, Part};

/// A value of a request's body, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    /// What stands there.
    pub(crate) value: &'a Value,
    path: String,
}

impl<'a> Field<'a> {
    /// The whole body.
    pub(crate) fn body(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        self.path.clone()
    }

    /// The field of this name, unless it is missing or null.
    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            path: self.path_of(name),
        })
    }

    /// The field of this name.
    pub(crate) fn need(&self, name: &str) -> Result<Self, BadRequest> {
        self.get(name)
            .ok_or_else(|| BadRequest::field(self.path_of(name), "is missing"))
    }

    /// The string under this name.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, BadRequest> {
        self.need(name)?.string()
    }

    /// The string that stands here.
    pub(crate) fn string(&self) -> Result<&'a str, BadRequest> {
        let string = self.value.as_str();
        string.ok_or_else(|| self.wrong("must be a string"))
    }

    /// The string under this name, if there is one.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, BadRequest> {
        let text = self.get(name).map(|field| field.string()).transpose()?;
        Ok(text.map(str::to_owned))
    }

    /// The string under `name`, which is not empty.
    pub(crate) fn name(&self) -> Result<String, BadRequest> {
        let name = self.need("name")?;
        match name.string()? {
            "" => Err(name.wrong("must not be empty")),
            text => Ok(text.to_owned()),
        }
    }

    /// The truth value that stands here.
    pub(crate) fn boolean(&self) -> Result<bool, BadRequest> {
        let boolean = self.value.as_bool();
        boolean.ok_or_else(|| self.wrong("must be true or false"))
    }

    /// The truth value under this name, if there is one.
    pub(crate) fn optional_boolean(&self, name: &str) -> Result<Option<bool>, BadRequest> {
        self.get(name).map(|field| field.boolean()).transpose()
    }

    /// The number that stands here, within its range; `words` tells the range.
    pub(crate) fn number(
        &self,
        range: impl RangeBounds<f32>,
        words: &str,
    ) -> Result<f32, BadRequest> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "infinite is out of each range"
        )]
        let number = self.value.as_f64().map(|number| number as f32);
        let within = number.filter(|number| number.is_finite() && range.contains(number));
        within.ok_or_else(|| self.out_of_range("a number", words))
    }

    /// The whole number that stands here, within its range; `words` tells the range.
    pub(crate) fn integer<T: TryFrom<i64> + PartialOrd>(
        &self,
        range: impl RangeBounds<T>,
        words: &str,
    ) -> Result<T, BadRequest> {
        let integer = self
            .value
            .as_i64()
            .and_then(|integer| integer.try_into().ok());
        let within = integer.filter(|integer| range.contains(integer));
        within.ok_or_else(|| self.out_of_range("a whole number", words))
    }

    /// The number of tokens under this name, if there is one.
    pub(crate) fn optional_tokens(&self, name: &str) -> Result<Option<u64>, BadRequest> {
        let tokens = self.get(name).map(|field| field.integer(0.., "from 0 on"));
        tokens.transpose()
    }

    fn out_of_range(&self, kind: &str, words: &str) -> BadRequest {
        self.wrong(&format!("is {}, but must be {kind} {words}", self.value))
    }

    /// The object that stands here.
    pub(crate) fn object(&self) -> Result<&'a Map<String, Value>, BadRequest> {
        let object = self.value.as_object();
        object.ok_or_else(|| self.wrong("must be an object"))
    }

    /// The items of the list that stands here.
    pub(crate) fn items(&self) -> Result<Vec<Self>, BadRequest> {
        let items = self.value.as_array();
        let items = items.ok_or_else(|| self.wrong("must be a list"))?;
        let item = |(index, value)| Self {
            value,
            path: format!("{}[{index}]", self.path),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// All fields that are not null, with their names.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let names = self
            .value
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys());
        names.filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// All fields that are not null but these, as they came.
    pub(crate) fn fields_besides(&self, names: &[&str]) -> Map<String, Value> {
        let others = self.fields().filter(|(name, _)| !names.contains(name));
        others
            .map(|(name, field)| (name.to_owned(), field.value.clone()))
            .collect()
    }

    /// The part of a turn that stands here.
    pub(crate) fn part(&self, content: Content) -> Part {
        Part {
            content,
            place: self.place(),
        }
    }

    /// What stands here is a mistake; `problem` goes on after the field's name.
    pub(crate) fn wrong(&self, problem: &str) -> BadRequest {
        BadRequest::field(self.path.as_str(), problem)
    }

    /// What stands here would change the answer, and cannot be honoured.
    pub(crate) fn unsupported(&self) -> BadRequest {
        BadRequest::unsupported(&self.path)
    }

    /// This object is of a type that cannot be honoured.
    pub(crate) fn unknown_type(&self) -> BadRequest {
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
