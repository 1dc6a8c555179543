//! Chat templates: Jinja programs, shipped with a model, that write a conversation as one text.

mod control_tokens;
mod messages;
mod python;
mod taught_tools;

#[cfg(test)]
mod tests;

pub(crate) use control_tokens::ControlTokens;

use deja_wire::{Conversation, Tool};
use minijinja::{
    Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig, value::Serde,
};
use serde_json::json;

use crate::{
    EngineError,
    output::{Style, offers_tools},
};

const NAME: &str = "chat";

/// The most instructions that a template may run: a hundred times what a long conversation takes,
/// and less than a second.
const MAX_INSTRUCTIONS: u64 = 10_000_000;

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
    style: Style,
    /// Whether it writes tools.
    knows_tools: bool,
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
        environment.set_fuel(Some(MAX_INSTRUCTIONS));
        python::prepare(&mut environment);
        for (name, token) in [("bos_token", &special.begin), ("eos_token", &special.end)] {
            if let Some(token) = token {
                environment.add_global(name, token.clone());
            }
        }
        environment
            .add_template_owned(NAME, without_training_marks(source))
            .map_err(unreadable)?;
        let template = environment.get_template(NAME).map_err(unreadable)?;
        let knows_tools = template.undeclared_variables(false).contains("tools");
        Ok(Self {
            environment,
            style: Style::of_template(source),
            knows_tools,
        })
    }

    /// How the model's answers are to be read.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// The conversation as the text that the model continues.
    pub(crate) fn render(&self, conversation: &Conversation) -> Result<String, EngineError> {
        let taught;
        let conversation = if self.knows_tools {
            conversation
        } else {
            taught = taught_tools::taught(conversation);
            &taught
        };
        // Tools that must not be called are not shown.
        let tools = offers_tools(conversation).then(|| tools(&conversation.tools));
        let messages = messages::messages(&conversation.messages, self.style);
        let own = context! {
            messages => Value::from(Serde(messages)),
            tools => tools.map(|tools| Value::from(Serde(tools))),
            add_generation_prompt => true,
        };
        let arguments = Value::from(Serde(&conversation.template_arguments));
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context! { ..own, ..arguments }))
            .map_err(|error| EngineError::Template {
                reason: reason(&error),
            })
    }
}

/// `transformers` has a block of its own, whose content it trains a model on.
fn without_training_marks(source: &str) -> String {
    source
        .replace("{% generation ", "{% if true ")
        .replace("{%- generation ", "{%- if true ")
        .replace(" endgeneration ", " endif ")
}

/// As the API has them.
fn tools(tools: &[Tool]) -> serde_json::Value {
    let tools = tools.iter().map(|tool| {
        let mut function = json!({"name": tool.name});
        if let Some(description) = &tool.description {
            function["description"] = description.as_str().into();
        }
        function["parameters"] = tool.parameters.clone();
        json!({"type": "function", "function": function})
    });
    tools.collect()
}

/// What a template says of a conversation that it refuses.
fn reason(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
        (ErrorKind::OutOfFuel, _) => format!("it takes more than {MAX_INSTRUCTIONS} instructions"),
        _ => error.to_string(),
    }
}
