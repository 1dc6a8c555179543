//! The rules, and which of them apply.

use deja_plugin::rules::{self, Rules};
use schemars::JsonSchema;
use serde::Deserialize;

/// The edits of a body.
pub(crate) type Edits<'s> = rules::Edits<'s, Settings>;

/// What a rule takes out of the key, or writes in one form there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Takes the ids and times of `client_metadata` out.
    DropClientMetadata,
    /// Takes `prompt_cache_key` out, which names the thread.
    DropPromptCacheKey,
    /// Takes the id of a command's output out.
    DropChunkId,
    /// Takes out how long a command ran.
    DropWallTime,
    /// Numbers the ids of items in order of appearance.
    CanonItemIds,
    /// Numbers the ids of calls in order of appearance.
    CanonCallIds,
    /// Takes the working directory out.
    #[serde(skip)]
    MaskCwd,
    /// Takes the date and the time zone out.
    #[serde(skip)]
    MaskDate,
    /// Takes out where skills are installed.
    #[serde(skip)]
    MaskPaths,
}

/// Which rules apply: all that change no answer, and of those that may change one whichever is
/// asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Rules that do not apply.
    disable: Vec<Rule>,
    /// The working directory does not matter, where Codex itself names it.
    mask_cwd: bool,
    /// Today's date and the time zone do not matter.
    mask_date: bool,
    /// Where skills are installed does not matter.
    mask_paths: bool,
}

impl Rules for Settings {
    type Rule = Rule;

    fn apply(&self, rule: Rule) -> bool {
        match rule {
            Rule::MaskCwd => self.mask_cwd,
            Rule::MaskDate => self.mask_date,
            Rule::MaskPaths => self.mask_paths,
            _ => !self.disable.contains(&rule),
        }
    }

    fn name(rule: Rule) -> &'static str {
        match rule {
            Rule::DropClientMetadata => "drop-client-metadata",
            Rule::DropPromptCacheKey => "drop-prompt-cache-key",
            Rule::DropChunkId => "drop-chunk-id",
            Rule::DropWallTime => "drop-wall-time",
            Rule::CanonItemIds => "canon-item-ids",
            Rule::CanonCallIds => "canon-call-ids",
            Rule::MaskCwd => "mask-cwd",
            Rule::MaskDate => "mask-date",
            Rule::MaskPaths => "mask-paths",
        }
    }
}

#[cfg(test)]
mod tests {
    use deja_plugin::Settings as _;

    use super::*;

    #[test]
    fn unless_told_otherwise_no_mask_applies_and_all_else_does() {
        let settings = Settings::parse("{}").expect("nothing is set");
        assert!(settings.apply(Rule::CanonCallIds) && !settings.apply(Rule::MaskDate));
        let settings = Settings::parse(r#"{"disable": ["canon-call-ids"], "mask_date": true}"#)
            .expect("both are settings");
        assert!(!settings.apply(Rule::CanonCallIds) && settings.apply(Rule::MaskDate));
    }

    #[test]
    fn what_is_unknown_is_refused_with_the_names_that_are_known() {
        let refused = |config| Settings::parse(config).expect_err("it is refused");
        let error = refused(r#"{"disable": ["canon-call-id"]}"#);
        assert!(error.contains("`canon-call-ids`") && !error.contains("mask-date"));
        let error = refused(r#"{"mask_dates": true}"#);
        assert!(error.contains("unknown field `mask_dates`") && error.contains("`mask_date`"));
    }
}
