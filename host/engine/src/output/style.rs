//! What a model's chat template tells of the form of its answers.

use deja_chat::{Conversation, ToolChoice};
use serde_json::Value;

use super::{calls::CallForm, offers_tools, thoughts::ThoughtMarkers};

/// Special tokens that are markers in a text. The others are not shown.
pub(crate) const MARKERS: [&str; 10] = [
    "<think>",
    "</think>",
    "[THINK]",
    "[/THINK]",
    "<tool_call>",
    "</tool_call>",
    "<|python_tag|>",
    "[TOOL_CALLS]",
    "[CALL_ID]",
    "[ARGS]",
];

/// What may stand around thoughts.
const THOUGHTS: [ThoughtMarkers; 2] = [
    ThoughtMarkers {
        open: "<think>",
        close: "</think>",
    },
    ThoughtMarkers {
        open: "[THINK]",
        close: "[/THINK]",
    },
];

/// The form of a model's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(super) calls: CallForm,
    pub(super) thoughts: Option<ThoughtMarkers>,
}

impl Style {
    /// The form that belongs to this template, by the markers in its text.
    pub(crate) fn of_template(source: &str) -> Self {
        let has = |marker| source.contains(marker);
        let calls = if has("[TOOL_CALLS]") {
            if has("[ARGS]") {
                CallForm::Named
            } else {
                CallForm::List
            }
        } else if has("<function=") {
            CallForm::Xml
        } else if has("<tool_call>") {
            CallForm::Json
        } else if has("<|python_tag|>") || has("\"parameters\":") {
            CallForm::Bare
        } else {
            CallForm::Json
        };
        let thoughts = THOUGHTS.into_iter().find(|markers| has(markers.close));
        Self { calls, thoughts }
    }

    /// Whether it is one of Mistral's.
    pub(crate) fn is_mistral(self) -> bool {
        matches!(self.calls, CallForm::List | CallForm::Named)
    }

    /// Begins the answer at the end of its prompt, if it has to be a call: the model can only go on
    /// with it.
    pub(crate) fn begin(self, prompt: &mut String, conversation: &Conversation) {
        let opening = self.opening(conversation);
        let thoughts = self.thoughts.filter(|_| self.has_opened_thoughts(prompt));
        if let (false, Some(markers)) = (opening.is_empty(), thoughts) {
            prompt.push_str(markers.close);
            prompt.push_str("\n\n");
        }
        prompt.push_str(&opening);
    }

    /// Whether a prompt ends where thoughts begin.
    pub(super) fn has_opened_thoughts(self, prompt: &str) -> bool {
        let prompt = prompt.trim_end();
        self.thoughts
            .is_some_and(|markers| prompt.ends_with(markers.open))
    }

    /// How an answer begins that has to be a call.
    pub(super) fn opening(self, conversation: &Conversation) -> String {
        let name = match &conversation.tool_choice {
            _ if !offers_tools(conversation) => return String::new(),
            ToolChoice::Auto | ToolChoice::None => return String::new(),
            ToolChoice::Required => match conversation.tools.as_slice() {
                [only] => Some(&only.name),
                _ => None,
            },
            ToolChoice::Function(name) => Some(name),
        };
        let Some(name) = name else {
            return self.calls.opening().to_owned();
        };
        let quoted = Value::from(name.as_str());
        match self.calls {
            CallForm::Json => {
                format!("<tool_call>\n{{\"name\": {quoted}, \"arguments\": ")
            }
            CallForm::Xml => format!("<tool_call>\n<function={name}>\n"),
            CallForm::Bare => format!("{{\"name\": {quoted}, \"parameters\": "),
            CallForm::List => format!("[TOOL_CALLS][{{\"name\": {quoted}, \"arguments\": "),
            CallForm::Named => format!("[TOOL_CALLS]{name}[ARGS]"),
        }
    }
}

impl CallForm {
    /// How a call of any tool begins.
    fn opening(self) -> &'static str {
        match self {
            Self::Json => "<tool_call>\n{\"name\":",
            Self::Xml => "<tool_call>\n<function=",
            Self::Bare => "{\"name\":",
            Self::List => "[TOOL_CALLS][{\"name\":",
            Self::Named => "[TOOL_CALLS]",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_tells_the_form() {
        for (source, calls) in [
            ("<tool_call>\n{\"name\": <function-name>}", CallForm::Json),
            ("<tool_call>\n<function=example>", CallForm::Xml),
            ("{{ '<|python_tag|>' }}", CallForm::Bare),
            ("{\"name\": f, \"parameters\": {}}", CallForm::Bare),
            ("{{ '[TOOL_CALLS][' }}", CallForm::List),
            ("{{ '[TOOL_CALLS]' + name + '[ARGS]' }}", CallForm::Named),
            ("{{ messages }}", CallForm::Json),
        ] {
            assert_eq!(Style::of_template(source).calls, calls, "{source}");
        }
        assert_eq!(Style::of_template("<think>").thoughts, None);
        let thinker = Style::of_template("{{ content.split('</think>') }}");
        assert_eq!(thinker.thoughts, Some(THOUGHTS[0]));
        assert!(thinker.has_opened_thoughts("assistant\n<think>\n"));
        assert!(!thinker.has_opened_thoughts("assistant\n<think>\n\n</think>\n\n"));
    }
}
