//! What a model may call: the same tools with the same parameters, in any order.

use crate::edited::{Edited, pairwise};

use super::words;

/// The mark for a prompt cache, which says nothing to the model.
const CACHE_CONTROL: &str = "cache_control";

/// The text that explains a tool or a parameter: half of its words stay, as of other texts.
const DESCRIPTION: &str = "description";

/// Returns whether all tools are kept.
pub(super) fn are_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    match (came.items(), left.items()) {
        (Some(came), Some(left)) => pairwise(by_name(came), by_name(left), is_kept),
        _ => left.equals(came),
    }
}

fn by_name<'a>(tools: impl Iterator<Item = Edited<'a>>) -> Vec<Edited<'a>> {
    let name = |tool: &Edited<'a>| {
        let name = tool.get("name");
        let name = name.or_else(|| tool.at(&["function", "name"]));
        name.or_else(|| tool.get("type")).and_then(Edited::text)
    };
    let mut tools: Vec<_> = tools.collect();
    tools.sort_by_key(name);
    tools
}

fn is_kept(came: Edited<'_>, left: Edited<'_>) -> bool {
    if left.is_untouched(came) {
        return true;
    }
    if let (Some(came), Some(left)) = (came.items(), left.items()) {
        return pairwise(came, left, is_kept);
    }
    let (Some(fields), Some(new)) = (came.fields(), left.fields()) else {
        return left.equals(came);
    };
    let mut fields = fields.filter(|(name, _)| *name != CACHE_CONTROL);
    let mut new = new.filter(|(name, _)| *name != CACHE_CONTROL);
    fields.all(|(name, field)| field_is_kept(name, field, left.get(name)))
        && new.all(|(name, _)| came.get(name).is_some())
}

fn field_is_kept(name: &str, came: Edited<'_>, left: Option<Edited<'_>>) -> bool {
    let Some(left) = left else { return false };
    match (came.text(), left.text()) {
        (Some(came), Some(left)) if name == DESCRIPTION => words::are_kept(came, left),
        _ => is_kept(came, left),
    }
}
