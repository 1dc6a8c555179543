//! The metadata of a GGUF file.

use std::{
    collections::HashMap,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use super::header::{Header, HeaderError, Value};
use crate::EngineError;

/// The metadata of a GGUF file, and errors that name the file.
pub(crate) struct Metadata {
    values: HashMap<String, Value>,
    path: PathBuf,
}

impl Metadata {
    pub(crate) fn read(path: &Path) -> Result<Self, EngineError> {
        let open = || -> Result<Header, HeaderError> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Header::read(BufReader::new(file), length)
        };
        let path = path.to_owned();
        match open() {
            Ok(Header { metadata: values }) => Ok(Self { values, path }),
            Err(HeaderError::Unsupported(reason)) => {
                Err(EngineError::UnsupportedModel { path, reason })
            }
            Err(error) => Err(EngineError::ModelBroken {
                path,
                reason: error.to_string(),
            }),
        }
    }

    /// The length of the file.
    pub(super) fn file_bytes(&self) -> Result<u64, EngineError> {
        let file = self.path.metadata();
        file.map(|file| file.len())
            .map_err(|error| self.broken(error.to_string()))
    }

    /// The key of a setting of this model's architecture.
    pub(super) fn own(&self, name: &str) -> Result<String, EngineError> {
        Ok(format!("{}.{name}", self.text("general.architecture")?))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, EngineError> {
        match self.require(key)? {
            Value::String(text) => Ok(text),
            other => Err(self.wrong(key, "a text", other)),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&str>, EngineError> {
        self.list(key, "a text", |value| match value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub(crate) fn integers(&self, key: &str) -> Result<Vec<i64>, EngineError> {
        self.list(key, "an integer", integer)
    }

    pub(crate) fn floats(&self, key: &str) -> Result<Vec<f64>, EngineError> {
        self.list(key, "a number", |value| match value {
            Value::Float(float) => Some(*float),
            _ => None,
        })
    }

    fn list<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, EngineError> {
        let Value::Array(values) = self.require(key)? else {
            return Err(self.broken(format!("`{key}` is not a list")));
        };
        values
            .iter()
            .map(|value| read(value).ok_or_else(|| self.wrong(key, kind, value)))
            .collect()
    }

    /// An integer of the kind wanted.
    pub(crate) fn integer<T: TryFrom<i64>>(&self, key: &str) -> Result<T, EngineError> {
        let value = self.require(key)?;
        integer(value)
            .and_then(|integer| integer.try_into().ok())
            .ok_or_else(|| self.wrong(key, "a fitting integer", value))
    }

    pub(crate) fn boolean_or(&self, key: &str, default: bool) -> Result<bool, EngineError> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(boolean)) => Ok(*boolean),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    pub(super) fn integer_or<T: TryFrom<i64>>(
        &self,
        key: &str,
        default: T,
    ) -> Result<T, EngineError> {
        self.get(key).map_or(Ok(default), |_| self.integer(key))
    }

    #[expect(clippy::cast_possible_truncation, reason = "stored as 32 bits")]
    pub(super) fn float(&self, key: &str) -> Result<f32, EngineError> {
        match self.require(key)? {
            Value::Float(float) => Ok(*float as f32),
            other => Err(self.wrong(key, "a number", other)),
        }
    }

    fn require(&self, key: &str) -> Result<&Value, EngineError> {
        self.get(key)
            .ok_or_else(|| self.broken(format!("`{key}` is missing in its metadata")))
    }

    fn wrong(&self, key: &str, kind: &str, found: &Value) -> EngineError {
        let found = match found {
            Value::Array(_) => "a list".to_owned(),
            other => format!("{other:?}"),
        };
        self.broken(format!("`{key}` is not {kind}, but {found}"))
    }

    pub(crate) fn broken(&self, reason: String) -> EngineError {
        EngineError::ModelBroken {
            path: self.path.clone(),
            reason,
        }
    }

    pub(crate) fn unsupported(&self, reason: String) -> EngineError {
        EngineError::UnsupportedModel {
            path: self.path.clone(),
            reason,
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Unsigned(value) => i64::try_from(*value).ok(),
        Value::Signed(value) => Some(*value),
        _ => None,
    }
}
