//! Goes through a body once, and asks the rules at each place.

use std::fmt::Arguments;

use deja_plugin::ids::{CALLS, Ids};
use deja_plugin::keyer::Edit;
use deja_plugin::rules::Rules;
use serde_json::Value;

use crate::settings::{Edits, Rule, Settings};
use crate::texts::{self, Speaker};

/// What of `client_metadata` names a session, a turn or an installation, and when it began.
const SESSION: [&str; 8] = [
    "root_turn_id",
    "session_id",
    "thread_id",
    "turn_id",
    "x-codex-installation-id",
    "x-codex-parent-thread-id",
    "x-codex-turn-metadata",
    "x-codex-window-id",
];

/// The items that hold what a tool answered.
const OUTPUTS: [&str; 2] = ["function_call_output", "custom_tool_call_output"];

/// Returns the edits for a body; for one that is not Codex's, none.
pub(crate) fn edits(body: &Value, settings: &Settings) -> Vec<Edit> {
    let mut edits = Edits::new(settings);
    let metadata = body.get("client_metadata").and_then(Value::as_object);
    let is_codexs = |name: &String| name.starts_with("x-codex-");
    let Some(metadata) = metadata.filter(|it| it.keys().any(is_codexs)) else {
        return Vec::new();
    };
    for name in SESSION.iter().filter(|name| metadata.contains_key(**name)) {
        let place = format_args!("/client_metadata/{name}");
        edits.remove(Rule::DropClientMetadata, place);
    }
    if body.get("prompt_cache_key").is_some() {
        edits.remove(Rule::DropPromptCacheKey, format_args!("/prompt_cache_key"));
    }
    let items = body.get("input").and_then(Value::as_array);
    let mut walk = Walk::new(items.map_or(&[], Vec::as_slice), edits);
    walk.items();
    walk.edits.into_list()
}

struct Walk<'a> {
    items: &'a [Value],
    edits: Edits<'a>,
    item_ids: Ids<'a>,
    call_ids: Ids<'a>,
    /// The working directories to take out.
    directories: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn new(items: &'a [Value], edits: Edits<'a>) -> Self {
        let directories = if edits.settings.apply(Rule::MaskCwd) {
            directories(items)
        } else {
            Vec::new()
        };
        Self {
            items,
            edits,
            item_ids: Ids::new(&[""]),
            call_ids: Ids::new(&CALLS),
            directories,
        }
    }

    fn items(&mut self) {
        let ids_stay = self.items.iter().any(is_unknown);
        for (number, item) in self.items.iter().enumerate() {
            let place = format_args!("/input/{number}");
            if !ids_stay {
                self.ids(item, place);
            }
            if let Some((speaker, field)) = speaker(item) {
                self.content(&item[field], speaker, format_args!("{place}/{field}"));
            }
        }
    }

    fn ids(&mut self, item: &'a Value, place: Arguments<'_>) {
        let edits = &mut self.edits;
        let fields = [
            (Rule::CanonItemIds, "id", &mut self.item_ids),
            (Rule::CanonCallIds, "call_id", &mut self.call_ids),
        ];
        for (rule, field, ids) in fields {
            if let Some(id) = item.get(field).and_then(Value::as_str)
                && let Some(canonical) = ids.canonical(id)
                && canonical != id
            {
                let json = format!("\"{canonical}\"");
                edits.replace(rule, format_args!("{place}/{field}"), json);
            }
        }
    }

    fn content(&mut self, content: &Value, speaker: Speaker, place: Arguments<'_>) {
        self.text(content, speaker, place);
        for (number, part) in content.as_array().into_iter().flatten().enumerate() {
            let text = part.get("text").unwrap_or(&Value::Null);
            self.text(text, speaker, format_args!("{place}/{number}/text"));
        }
    }

    fn text(&mut self, text: &Value, speaker: Speaker, place: Arguments<'_>) {
        if let Some(text) = text.as_str() {
            let settings = self.edits.settings;
            let splices = texts::splices(text, speaker, &self.directories, settings);
            self.edits.splice(splices, place);
        }
    }
}

/// Returns the working directories that the items name.
fn directories(items: &[Value]) -> Vec<&str> {
    let contents = items.iter().filter_map(|item| match speaker(item) {
        Some((Speaker::User, field)) => item[field].as_array(),
        _ => None,
    });
    let texts = contents
        .flatten()
        .filter_map(|part| part.get("text")?.as_str());
    let mut directories: Vec<_> = texts.flat_map(texts::directories).collect();
    directories.sort_unstable();
    directories.dedup();
    directories
}

/// Returns whose texts an item holds that rules look at, and in which field.
fn speaker(item: &Value) -> Option<(Speaker, &'static str)> {
    let (speaker, field) = match kind(item) {
        "message" => match item.get("role")?.as_str()? {
            "developer" => (Speaker::Developer, "content"),
            "user" => (Speaker::User, "content"),
            _ => return None,
        },
        kind if OUTPUTS.contains(&kind) => (Speaker::Tool, "output"),
        _ => return None,
    };
    item.get(field).map(|_| (speaker, field))
}

/// Returns whether an item has an id and is of a kind that is not known here: its id may have to
/// stay, and be that of any other item.
fn is_unknown(item: &Value) -> bool {
    let kind = kind(item);
    let is_known = ["message", "reasoning"].contains(&kind)
        || kind.ends_with("_call")
        || OUTPUTS.contains(&kind);
    let has = |field: &str| item.get(field).is_some_and(|id| !id.is_null());
    !is_known && (has("id") || has("call_id"))
}

/// Returns the kind of an item. One without a kind is a message.
fn kind(item: &Value) -> &str {
    match item.get("type") {
        Some(kind) => kind.as_str().unwrap_or_default(),
        None => "message",
    }
}
