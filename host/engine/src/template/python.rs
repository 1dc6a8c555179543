//! What templates expect of Python.

use std::io;

use minijinja::{
    Environment, Error, ErrorKind, Output, State, Value,
    value::{Kwargs, ValueKind},
};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The widest indentation of JSON, in spaces.
const MAX_INDENT: usize = 64;

/// Gives an environment the functions and filters that `transformers` gives it, and Python's way to
/// write values.
pub(super) fn prepare(environment: &mut Environment<'_>) {
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", to_string);
    environment.add_test("iterable", is_iterable);
    environment.add_test("sequence", is_sequence);
    environment.set_formatter(format);
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime_now(format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, &jiff::Zoned::now())
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// To minijinja nothing is an empty list.
#[expect(clippy::needless_pass_by_value, reason = "the form of a test")]
fn is_iterable(value: Value) -> bool {
    is_sequence(value.clone()) || value.kind() == ValueKind::Iterable
}

/// To Python all that has a length and items is one.
#[expect(clippy::needless_pass_by_value, reason = "the form of a test")]
fn is_sequence(value: Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::String | ValueKind::Map
    )
}

/// How Python writes a value, if minijinja would write it otherwise.
fn constant(value: &Value) -> Option<&'static str> {
    match value.kind() {
        ValueKind::None => Some("None"),
        ValueKind::Bool if value.is_true() => Some("True"),
        ValueKind::Bool => Some("False"),
        _ => None,
    }
}

fn format(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match constant(value) {
        Some(constant) => output.write_str(constant).map_err(Error::from),
        None => minijinja::escape_formatter(output, state, value),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form of a filter")]
fn to_string(value: Value) -> String {
    constant(&value).map_or_else(|| value.to_string(), str::to_owned)
}

/// JSON as Python writes it: minijinja's own has no spaces, and escapes for HTML.
#[expect(clippy::needless_pass_by_value, reason = "the form of a filter")]
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    if indent.is_some_and(|width| width > MAX_INDENT) {
        let reason = format!("JSON is indented by {MAX_INDENT} spaces at most");
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    let mut json = Vec::new();
    let written = match indent {
        Some(width) => {
            let indent = " ".repeat(width);
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut json, formatter))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut json, PythonFormatter)),
    };
    written
        .map_err(|error| error.to_string())
        .and_then(|()| String::from_utf8(json).map_err(|error| error.to_string()))
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error))
}

/// `json.dumps` puts a space after each comma and colon.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
    writer.write_all(if first { b"" } else { b", " })
}
