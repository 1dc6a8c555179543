//! What a model's chat template tells of the form of its answers.

use super::{calls::CallForm, thoughts::ThoughtMarkers};

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

    /// Whether a prompt ends where thoughts begin.
    pub(super) fn has_opened_thoughts(self, prompt: &str) -> bool {
        let prompt = prompt.trim_end();
        self.thoughts
            .is_some_and(|markers| prompt.ends_with(markers.open))
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
