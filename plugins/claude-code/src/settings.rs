//! The rules, and which of them apply.

use deja_plugin::rules::{self, Rules};
use serde::Deserialize;

/// The edits of a body.
pub(crate) type Edits<'s> = rules::Edits<'s, Settings>;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// What a rule takes out of the key, or writes in one form there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Takes out `metadata.user_id`, which names the session.
    DropMetadataUserId,
    /// Takes out the line `x-anthropic-billing-header: …` of a system text.
    DropBillingHeader,
    /// Takes out the marks of Anthropic's prompt cache.
    DropCacheControl,
    /// Takes out `diagnostics.previous_message_id`.
    DropPreviousMessageId,
    /// Takes out the signature of a thinking block; its text stays.
    DropThinkingSignature,
    /// Takes out system messages that say only how many tokens are left.
    DropTotalTokens,
    /// Takes out reminders of the tokens, or the money, that were spent.
    DropUsageReminder,
    /// A resumed session's start hook counts as a new one's.
    CanonSessionStart,
    /// One string as content counts as a list with one text block.
    CanonContentBlocks,
    /// Sorts the tools by name.
    CanonToolOrder,
    /// Numbers the ids of tool calls in order of appearance.
    CanonToolUseIds,
    /// Takes out today's date.
    #[serde(skip)]
    MaskDate,
    /// Takes out working directory, platform and version of the operating system.
    #[serde(skip)]
    MaskEnvironment,
    /// Takes out the state of the git repository.
    #[serde(skip)]
    MaskGitStatus,
    /// Takes out every reminder among the user's texts.
    #[serde(skip)]
    MaskReminders,
    /// Takes out system messages that follow an answer of the model.
    #[serde(skip)]
    MaskNudges,
}

/// Which rules apply: all that change no answer, and of those that may change one whichever is
/// asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub(crate) struct Settings {
    /// Rules that do not apply.
    disable: Vec<Rule>,
    mask_date: bool,
    mask_environment: bool,
    mask_git_status: bool,
    mask_reminders: bool,
    mask_nudges: bool,
    /// Users do not share answers.
    pub(crate) partition_by_user: bool,
}

impl Settings {
    /// Reads the settings that the host sends.
    pub(crate) fn parse(config: &str) -> Result<Self, String> {
        // By way of a value, whose errors tell no line and column: the host wrote this text anew.
        serde_json::from_str(config)
            .and_then(serde_json::from_value)
            .map_err(|error| error.to_string())
    }
}

impl Rules for Settings {
    type Rule = Rule;

    fn apply(&self, rule: Rule) -> bool {
        match rule {
            Rule::MaskDate => self.mask_date,
            Rule::MaskEnvironment => self.mask_environment,
            Rule::MaskGitStatus => self.mask_git_status,
            Rule::MaskReminders => self.mask_reminders,
            Rule::MaskNudges => self.mask_nudges,
            _ => !self.disable.contains(&rule),
        }
    }

    fn name(rule: Rule) -> &'static str {
        match rule {
            Rule::DropMetadataUserId => "drop-metadata-user-id",
            Rule::DropBillingHeader => "drop-billing-header",
            Rule::DropCacheControl => "drop-cache-control",
            Rule::DropPreviousMessageId => "drop-previous-message-id",
            Rule::DropThinkingSignature => "drop-thinking-signature",
            Rule::DropTotalTokens => "drop-total-tokens",
            Rule::DropUsageReminder => "drop-usage-reminder",
            Rule::CanonSessionStart => "canon-session-start",
            Rule::CanonContentBlocks => "canon-content-blocks",
            Rule::CanonToolOrder => "canon-tool-order",
            Rule::CanonToolUseIds => "canon-tool-use-ids",
            Rule::MaskDate => "mask-date",
            Rule::MaskEnvironment => "mask-environment",
            Rule::MaskGitStatus => "mask-git-status",
            Rule::MaskReminders => "mask-reminders",
            Rule::MaskNudges => "mask-nudges",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn unless_told_otherwise_no_mask_applies_and_all_else_does() {
        let settings = Settings::parse("{}").expect("nothing is set");
        assert!(settings.apply(Rule::CanonToolOrder) && !settings.apply(Rule::MaskDate));
        let settings = Settings::parse(r#"{"disable": ["canon-tool-order"], "mask_date": true}"#)
            .expect("both are settings");
        assert!(!settings.apply(Rule::CanonToolOrder) && settings.apply(Rule::MaskDate));
    }

    #[test]
    fn what_is_unknown_is_refused_with_the_names_that_are_known() {
        let refused = |config| Settings::parse(config).expect_err("it is refused");
        let error = refused(r#"{"disable": ["canon-tool-ordr"]}"#);
        assert!(error.starts_with("unknown variant `canon-tool-ordr`, expected one of"));
        assert!(error.contains("`canon-tool-order`") && !error.contains("mask-date"));
        let error = refused(r#"{"mask_dates": true}"#);
        assert!(error.contains("unknown field `mask_dates`") && error.contains("`mask_date`"));
        assert!(refused(r#"{"mask_date": "yes"}"#).contains("expected a boolean"));
    }

    #[test]
    fn the_schema_tells_what_is_read() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let properties = schema["properties"].as_object().expect("it has properties");
        for (name, property) in properties {
            let value = match property["type"].as_str() {
                Some("boolean") => Value::Bool(true),
                _ => property["items"]["enum"].clone(),
            };
            let config = serde_json::json!({ name: value }).to_string();
            Settings::parse(&config).expect("the schema and the settings agree");
        }
        let rules = properties["disable"]["items"]["enum"].as_array();
        let rules: Vec<Rule> = rules
            .into_iter()
            .flatten()
            .map(|name| {
                let rule: Rule = serde_json::from_value(name.clone()).expect("it is a rule");
                assert_eq!(Settings::name(rule), name);
                rule
            })
            .collect();
        assert_eq!(rules.len(), Rule::MaskDate as usize, "{rules:?}");
    }
}
