//! The list of tools, sorted by name.

use std::collections::BTreeMap;

use deja_plugin::rules::Rules;
use serde_json::value::{RawValue, to_raw_value};

use crate::settings::{Edits, Rule, Settings};

const CACHE_CONTROL: &str = "cache_control";
const FUNCTION: &str = "function";

/// The fields of a tool, each as JSON: most of a request is descriptions of tools, of which no rule
/// looks at more than the name. `OpenAI`'s have it in a function, which has fields too.
pub(crate) type Tool<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The edits for a list of tools. One that moves is written anew, without its cache marks: an edit
/// inside it would overlap.
pub(crate) fn edit(tools: &[Tool<'_>], edits: &mut Edits<'_>) {
    for (place, from) in order(tools, edits.settings).into_iter().enumerate() {
        let tool = &tools[from];
        if place == from {
            drop_marks(tool, place, edits);
        } else {
            let json = moved(tool, edits.settings);
            edits.replace(Rule::CanonToolOrder, format_args!("/tools/{place}"), json);
        }
    }
}

/// Which tool comes first, second, and so on. The order stays where a tool has no name.
fn order(tools: &[Tool<'_>], settings: &Settings) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tools.len()).collect();
    if settings.apply(Rule::CanonToolOrder)
        && let Some(names) = tools.iter().map(name).collect::<Option<Vec<_>>>()
    {
        order.sort_by_key(|tool| names[*tool]);
    }
    order
}

/// The JSON of a tool's name.
fn name<'a>(tool: &Tool<'a>) -> Option<&'a str> {
    let own = tool.get("name").copied();
    own.or_else(|| function(tool)?.remove("name"))
        .map(RawValue::get)
}

fn function<'a>(tool: &Tool<'a>) -> Option<Tool<'a>> {
    serde_json::from_str(tool.get(FUNCTION)?.get()).ok()
}

fn drop_marks(tool: &Tool<'_>, place: usize, edits: &mut Edits<'_>) {
    if tool.contains_key(CACHE_CONTROL) {
        let place = format_args!("/tools/{place}/{CACHE_CONTROL}");
        edits.remove(Rule::DropCacheControl, place);
    }
    if function(tool).is_some_and(|function| function.contains_key(CACHE_CONTROL)) {
        let place = format_args!("/tools/{place}/{FUNCTION}/{CACHE_CONTROL}");
        edits.remove(Rule::DropCacheControl, place);
    }
}

/// The JSON of a tool that moves.
fn moved(tool: &Tool<'_>, settings: &Settings) -> String {
    let function = function(tool).map(|function| unmarked(function, settings));
    let mut tool = tool.clone();
    if let Some(function) = &function {
        tool.insert(FUNCTION, function);
    }
    Box::<str>::from(unmarked(tool, settings)).into_string()
}

fn unmarked(mut fields: Tool<'_>, settings: &Settings) -> Box<RawValue> {
    if settings.apply(Rule::DropCacheControl) {
        fields.remove(CACHE_CONTROL);
    }
    to_raw_value(&fields).expect("strings and JSON make JSON")
}
