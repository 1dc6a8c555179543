//! Chat templates: Jinja programs, shipped with a model, that write a conversation as one text.

use std::io;

use deja_chat::Conversation;
use minijinja::{
    Environment, Error, ErrorKind, Value, context,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::EngineError;

const NAME: &str = "chat";

/// The texts of tokens that templates name.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpecialTokens {
    pub(crate) begin: Option<String>,
    pub(crate) end: Option<String>,
}

/// A model's chat template, in the environment that `transformers` gives it.
#[derive(Debug)]
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// Parses a template; a reason if it cannot.
    pub(crate) fn new(source: &str, special: &SpecialTokens) -> Result<Self, String> {
        let unreadable = |error: Error| format!("its chat template cannot be read: {error}");
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        let mut environment = Environment::new();
        environment.set_syntax(syntax.map_err(unreadable)?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", to_json);
        for (name, token) in [("bos_token", &special.begin), ("eos_token", &special.end)] {
            if let Some(token) = token {
                environment.add_global(name, token.clone());
            }
        }
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(unreadable)?;
        Ok(Self { environment })
    }

    /// The conversation as the text that the model continues.
    pub(crate) fn render(&self, conversation: &Conversation) -> Result<String, EngineError> {
        // Roles and fields are serialised under the names that templates use.
        let messages = Value::from(Serde(&conversation.messages));
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! { messages, add_generation_prompt => true })
            })
            .map_err(|error| EngineError::Template {
                reason: reason(&error),
            })
    }
}

/// What a template says of a conversation that it refuses.
fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn reason(error: &Error) -> String {
    error
        .detail()
        .map_or_else(|| error.to_string(), str::to_owned)
}

fn strftime_now(format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, &jiff::Zoned::now())
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// JSON as Python writes it: minijinja's own has no spaces, and escapes for HTML.
#[expect(clippy::needless_pass_by_value, reason = "the form of a filter")]
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
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

#[cfg(test)]
mod tests {
    use deja_chat::{Message, Role};

    use super::*;

    fn render(template: &str, contents: &[(Role, &str)]) -> Result<String, EngineError> {
        let special = SpecialTokens {
            begin: Some("<s>".to_owned()),
            end: Some("</s>".to_owned()),
        };
        let messages: Vec<_> = contents
            .iter()
            .map(|(role, content)| Message::new(*role, *content))
            .collect();
        ChatTemplate::new(template, &special)
            .expect("parses")
            .render(&messages.into())
    }

    #[test]
    fn python_methods_and_block_trimming_work() {
        let template = "{{ bos_token }}\n{% for message in messages %}\n    {%- if message['content'].startswith('a') %}\n[{{ message['role'].upper() }} {{ message.content.strip() }}]{{ eos_token }}\n    {%- endif %}\n{% endfor %}\n";
        let text = render(template, &[(Role::User, "a b "), (Role::Assistant, "no")]);
        assert_eq!(text.expect("renders"), "<s>\n[USER a b]</s>");
    }

    #[test]
    fn json_is_as_python_writes_it() {
        let text = render("{{ {'a': [1, '<é>'], 'b': none} | tojson }}", &[]).expect("renders");
        assert_eq!(text, r#"{"a": [1, "<é>"], "b": null}"#);
    }

    #[test]
    fn an_exception_is_told_as_it_is() {
        let error = render("{{ raise_exception('roles must alternate') }}", &[]);
        assert_eq!(
            error,
            Err(EngineError::Template {
                reason: "roles must alternate".to_owned()
            })
        );
    }
}
