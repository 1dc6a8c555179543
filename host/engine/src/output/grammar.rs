//! The grammar of an answer that has to call a tool, or whose calls have to follow their schemas:
//! in llguidance's dialect of Lark, which its `docs/syntax.md` describes.

use deja_wire::{Conversation, Tool, ToolChoice};
use serde_json::{Value, json};

use super::{
    calls::CallForm,
    offers_tools,
    style::Style,
    xml::{END_OF_VALUE, allows},
};

#[cfg(test)]
mod tests;

/// Terminals that every grammar may use: any text, any space, and text that begins no call in the
/// form that has no marker.
const TERMINALS: &str = r"
TEXT: /(?s:.*)/
SPACE: /\s*/
PLAIN: /\s*([^\s{](?s:.*))?/
";

/// The grammar of the answer in a conversation, whose prompt is this text; none if the answer is
/// free. `special` gives the token that a marker is, if it is one and no text.
pub(crate) fn grammar(
    style: Style,
    conversation: &Conversation,
    prompt: &str,
    special: impl Fn(&str) -> Option<u32>,
) -> Option<String> {
    let must_call = must_call(conversation);
    let is_strict = conversation.tools.iter().any(|tool| tool.strict);
    if !offers_tools(conversation) || !(must_call || is_strict) {
        return None;
    }
    let mut writer = Writer {
        form: style.calls,
        conversation,
        special,
        rules: TERMINALS.to_owned(),
    };
    let thoughts = writer.thoughts(style, prompt);
    let answer = if must_call {
        writer.calls()
    } else {
        writer.text_and_calls()
    };
    writer.add_calls();
    Some(format!("start: {thoughts} ({answer})\n{}", writer.rules))
}

fn must_call(conversation: &Conversation) -> bool {
    matches!(
        conversation.tool_choice,
        ToolChoice::Required | ToolChoice::Function(_)
    )
}

struct Writer<'a, S> {
    form: CallForm,
    conversation: &'a Conversation,
    special: S,
    rules: String,
}

impl<S: Fn(&str) -> Option<u32>> Writer<'_, S> {
    /// Thoughts may come first, and go on where the prompt has begun them.
    fn thoughts(&mut self, style: Style, prompt: &str) -> String {
        let Some(markers) = style.thoughts else {
            return String::new();
        };
        if prompt.trim_end().ends_with(markers.close) {
            return String::new();
        }
        let thoughts = self.text_until("thoughts", markers.close);
        if style.has_opened_thoughts(prompt) {
            format!("{thoughts} SPACE")
        } else {
            format!("({} {thoughts} SPACE)?", self.marker(markers.open))
        }
    }

    /// Calls and nothing else.
    fn calls(&self) -> String {
        let call = match self.form.opening() {
            Some(opening) => format!("{} call", self.marker(opening)),
            None => "call".to_owned(),
        };
        let others = match self.form {
            CallForm::Json | CallForm::Xml => self.others(&format!("\"\\n\" {call}")),
            CallForm::Named => self.others(&call),
            CallForm::Bare | CallForm::List => String::new(),
        };
        call + &others
    }

    /// Text, in which a call begins wherever the marker of one stands.
    fn text_and_calls(&mut self) -> String {
        let Some(opening) = self.form.opening() else {
            return "PLAIN | call".to_owned();
        };
        let text = self.text_until("text", opening);
        let call = format!("{text} call");
        format!("({call}{})? TEXT", self.others(&call))
    }

    /// What may follow the first call.
    fn others(&self, what: &str) -> String {
        if self.conversation.parallel_tool_calls {
            format!(" ({what})*")
        } else {
            String::new()
        }
    }

    /// The rules for what follows the marker of a call.
    fn add_calls(&mut self) {
        let call = match self.form {
            CallForm::Json | CallForm::Xml => {
                format!("\"\\n\" tool \"\\n\" {}", self.marker("</tool_call>"))
            }
            CallForm::Named => "tool".to_owned(),
            CallForm::Bare => format!("tool{}", self.others("\"; \" tool")),
            CallForm::List => format!("\"[\" tool{} \"]\"", self.others("\", \" tool")),
        };
        let tools = self.tools();
        let tools: Vec<_> = tools.into_iter().map(|tool| self.tool(tool)).collect();
        self.add("call", &call);
        self.add("tool", &tools.join("\n  | "));
        self.add(
            "value[lazy]",
            &format!("TEXT {}", quoted(&format!("\n{END_OF_VALUE}"))),
        );
    }

    /// Those that may be called.
    fn tools(&self) -> Vec<&Tool> {
        let wanted = |tool: &&Tool| match &self.conversation.tool_choice {
            ToolChoice::Function(name) => tool.name == *name,
            _ => true,
        };
        self.conversation.tools.iter().filter(wanted).collect()
    }

    /// A call of this tool.
    fn tool(&self, tool: &Tool) -> String {
        let name = Value::from(tool.name.as_str());
        let head = match self.form {
            CallForm::Json | CallForm::List => format!("{{\"name\": {name}, \"arguments\": "),
            CallForm::Bare => format!("{{\"name\": {name}, \"parameters\": "),
            CallForm::Named => {
                let arguments = self.marker("[ARGS]");
                return format!(
                    "{} {arguments} {}",
                    quoted(&tool.name),
                    self.arguments(tool)
                );
            }
            CallForm::Xml => return self.tags(tool),
        };
        format!("{} {} \"}}\"", quoted(&head), self.arguments(tool))
    }

    /// A call in tags: its parameters in the schema's order.
    fn tags(&self, tool: &Tool) -> String {
        let schema = self.schema(tool);
        let required = schema["required"].as_array();
        let parameters = schema["properties"].as_object().into_iter().flatten();
        let parameters = parameters.map(|(name, property)| {
            let tag = quoted(&format!("<parameter={name}>\n"));
            let parameter = format!("{tag} {} \"\\n\"", value(property, &schema));
            let is_required = required.is_some_and(|names| names.contains(&name.as_str().into()));
            if is_required {
                parameter
            } else {
                format!("({parameter})?")
            }
        });
        let parameters: Vec<_> = parameters.collect();
        let tag = quoted(&format!("<function={}>\n", tool.name));
        format!("{tag} {} \"</function>\"", parameters.join(" "))
    }

    fn arguments(&self, tool: &Tool) -> String {
        json_by(&self.schema(tool))
    }

    /// What a call's arguments are held to: where calls are free, only those of strict tools to their
    /// schema.
    fn schema(&self, tool: &Tool) -> Value {
        let mut schema = tool.parameters.clone();
        if !schema.is_object() || !(tool.strict || must_call(self.conversation)) {
            schema = json!({});
        }
        if schema.get("type").is_none() {
            schema["type"] = "object".into();
        }
        // Nobody promised that the others' schemas can be followed to the letter.
        schema["x-guidance"] = json!({
            "whitespace_flexible": false, "item_separator": ", ?", "key_separator": ": ?",
            "lenient": !tool.strict,
        });
        schema
    }

    /// Any text up to this marker, and the marker.
    fn text_until(&mut self, name: &str, marker: &str) -> String {
        if let Some(token) = (self.special)(marker) {
            return format!("TEXT <[{token}]>");
        }
        let rule = format!("TEXT {}", quoted(marker));
        self.add(&format!("{name}[lazy]"), &rule);
        name.to_owned()
    }

    fn marker(&self, marker: &str) -> String {
        match (self.special)(marker) {
            Some(token) => format!("<[{token}]>"),
            None => quoted(marker),
        }
    }

    fn add(&mut self, name: &str, rule: &str) {
        self.rules.extend([name, ": ", rule, "\n"]);
    }
}

/// The value of a parameter and the tag that ends it: text where a string may stand, else JSON.
fn value(property: &Value, schema: &Value) -> String {
    if !property.is_null() && !allows(property, "string") {
        let mut property = property.clone();
        for shared in ["$defs", "definitions", "x-guidance"] {
            if let (Some(fields), Some(shared_value)) =
                (property.as_object_mut(), schema.get(shared))
            {
                fields.insert(shared.to_owned(), shared_value.clone());
            }
        }
        return format!("{} \"\\n{END_OF_VALUE}\"", json_by(&property));
    }
    let choices = property["enum"].as_array().into_iter().flatten();
    let choices: Option<Vec<_>> = choices.map(|choice| choice.as_str().map(quoted)).collect();
    match choices.filter(|choices| !choices.is_empty()) {
        Some(choices) => format!("({}) \"\\n{END_OF_VALUE}\"", choices.join(" | ")),
        None => "value".to_owned(),
    }
}

fn json_by(schema: &Value) -> String {
    format!("%json {schema}")
}

/// A literal.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
