//! Goes through a body once, and asks the rules at each place.
//!
//! Edits must not overlap. So whoever takes a value out, or writes it anew, asks for no edit inside
//! it, and makes there himself what other rules would have made.

use std::fmt::Arguments;

use deja_plugin::ids::{CALLS, Ids};
use deja_plugin::keyer::Edit;
use deja_plugin::rules::Rules;

use crate::body::{Body, Content, Item};
use crate::settings::{Edits, Rule, Settings};
use crate::texts::{self, Speaker};
use crate::tools;

/// The edits for a body.
pub(crate) fn edits(body: &Body<'_>, settings: &Settings) -> Vec<Edit> {
    let mut walk = Walk {
        edits: Edits::new(settings),
        ids: Ids::new(&CALLS),
    };
    walk.body(body);
    walk.edits.into_list()
}

struct Walk<'a> {
    edits: Edits<'a>,
    ids: Ids<'a>,
}

impl<'a> Walk<'a> {
    fn body(&mut self, body: &'a Body<'_>) {
        let edits = &mut self.edits;
        if body.user_id().is_some() {
            edits.remove(Rule::DropMetadataUserId, format_args!("/metadata/user_id"));
        }
        if body.has_previous_message_id() {
            let place = format_args!("/diagnostics/previous_message_id");
            edits.remove(Rule::DropPreviousMessageId, place);
        }
        if body.cache_control {
            edits.remove(Rule::DropCacheControl, format_args!("/cache_control"));
        }
        tools::edit(body.tools.as_deref().unwrap_or_default(), edits);
        self.content(&body.system, Speaker::System, format_args!("/system"));
        self.messages(&body.messages);
    }

    fn messages(&mut self, messages: &'a [Item<'_>]) {
        let mut is_answered = false;
        for (number, message) in messages.iter().enumerate() {
            let place = format_args!("/messages/{number}");
            is_answered |= message.has_role("assistant");
            match self.needless(message, is_answered) {
                Some(rule) => self.edits.remove(rule, place),
                None => self.message(message, place),
            }
        }
    }

    /// The rule that takes a whole message out, if one does.
    fn needless(&self, message: &Item<'_>, is_answered: bool) -> Option<Rule> {
        if !message.has_role("system") {
            return None;
        }
        let settings = self.edits.settings;
        if settings.apply(Rule::MaskNudges) && is_answered {
            return Some(Rule::MaskNudges);
        }
        let is_needless =
            message.is_bare() && only_text(message).is_some_and(texts::is_total_tokens);
        (is_needless && settings.apply(Rule::DropTotalTokens)).then_some(Rule::DropTotalTokens)
    }

    fn message(&mut self, message: &'a Item<'_>, place: Arguments<'_>) {
        let speaker = match message.role.as_deref() {
            Some("system" | "developer") => Speaker::System,
            Some("user") => Speaker::User,
            _ => Speaker::Other,
        };
        self.fields(message, place);
        self.content(&message.content, speaker, format_args!("{place}/content"));
    }

    fn content(&mut self, content: &'a Content<'_>, speaker: Speaker, place: Arguments<'_>) {
        match content {
            Content::Text(text) => self.text_content(text, speaker, place),
            Content::Blocks(blocks) => self.blocks(blocks, speaker, place),
            Content::Other => {}
        }
    }

    fn text_content(&mut self, text: &str, speaker: Speaker, place: Arguments<'_>) {
        let settings = self.edits.settings;
        let splices = texts::splices(text, speaker, settings);
        if !settings.apply(Rule::CanonContentBlocks) {
            self.edits.splice(splices, place);
            return;
        }
        let json = if texts::is_dropped(text, &splices) {
            "[]".to_owned()
        } else {
            let text = serde_json::Value::from(texts::spliced(text, &splices));
            format!(r#"[{{"type":"text","text":{text}}}]"#)
        };
        self.edits.replace(Rule::CanonContentBlocks, place, json);
    }

    fn blocks(&mut self, blocks: &'a [Item<'_>], speaker: Speaker, place: Arguments<'_>) {
        for (number, block) in blocks.iter().enumerate() {
            self.block(block, speaker, format_args!("{place}/{number}"));
        }
    }

    fn block(&mut self, block: &'a Item<'_>, speaker: Speaker, place: Arguments<'_>) {
        if let Some(text) = block.text.as_deref()
            && block.is_a("text")
        {
            let splices = texts::splices(text, speaker, self.edits.settings);
            if texts::is_dropped(text, &splices) && block.is_bare() {
                self.edits.remove(splices[0].rule, place);
                return;
            }
            self.edits.splice(splices, format_args!("{place}/text"));
        }
        self.fields(block, place);
        // What a tool returned: its words stay as they are, in whichever form they stand.
        if let Content::Blocks(blocks) = &block.content {
            self.blocks(blocks, Speaker::Other, format_args!("{place}/content"));
        }
    }

    /// The fields of a message or a block that are neither text nor content.
    fn fields(&mut self, item: &'a Item<'_>, place: Arguments<'_>) {
        if item.has_cache_control {
            let place = format_args!("{place}/cache_control");
            self.edits.remove(Rule::DropCacheControl, place);
        }
        if item.has_signature && item.is_a("thinking") {
            let place = format_args!("{place}/signature");
            self.edits.remove(Rule::DropThinkingSignature, place);
        }
        if let Some(id) = item.id.as_deref().filter(|_| item.is_a("tool_use")) {
            self.tool_id(id, format_args!("{place}/id"));
        }
        if let Some(id) = item.tool_use_id.as_deref() {
            self.tool_id(id, format_args!("{place}/tool_use_id"));
        }
        if let Some(id) = item.tool_call_id.as_deref() {
            self.tool_id(id, format_args!("{place}/tool_call_id"));
        }
        for (number, call) in item.tool_calls.iter().flatten().enumerate() {
            if let Some(id) = call.id.as_deref() {
                self.tool_id(id, format_args!("{place}/tool_calls/{number}/id"));
            }
        }
    }

    fn tool_id(&mut self, id: &'a str, place: Arguments<'_>) {
        if let Some(canonical) = self.ids.canonical(id)
            && canonical != id
        {
            let json = format!("\"{canonical}\"");
            self.edits.replace(Rule::CanonToolUseIds, place, json);
        }
    }
}

/// The text of a message that holds nothing else.
fn only_text<'a>(message: &'a Item<'_>) -> Option<&'a str> {
    match &message.content {
        Content::Text(text) => Some(text),
        Content::Blocks(blocks) => match blocks.as_slice() {
            [block] if block.is_a("text") && block.is_bare() => block.text.as_deref(),
            _ => None,
        },
        Content::Other => None,
    }
}
