//! Edits are refused, or made as a naive reader makes them, and the model stays. A floor refuses
//! some more of them, and changes none.
//!
//! An input is a body, a zero byte, and bytes that choose the edits.

#![no_main]

use std::{ops::Range, sync::Arc};

use arbitrary::{Arbitrary, Unstructured};
use deja_cache::{
    BypassReason, Change, Decision, Edit, EditProblem, Endpoint, Floor, KeyRequest, Keyed, Keyer,
    KeyerChain, NoHeaders, PolicyError, Recipe, Scope,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// The most edits of one input.
const MOST: usize = 8;

/// Asks for the same edits of every body.
struct Editing(Floor, Vec<Edit>);

impl Keyer for Editing {
    fn name(&self) -> &'static str {
        "editing"
    }

    fn identity(&self) -> &'static str {
        "editing"
    }

    fn floor(&self) -> Floor {
        self.0
    }

    fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
        Ok(Decision::Cache(Recipe {
            edits: self.1.clone(),
            ..Recipe::default()
        }))
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == 0) else {
        return;
    };
    let Ok(body @ Value::Object(_)) = serde_json::from_slice(&data[..end]) else {
        return;
    };
    let mut source = Unstructured::new(&data[end + 1..]);
    let Ok(edits) = edits(&body, &mut source) else {
        return;
    };
    let by_hand = edited(&body, &edits);
    let made = keyed(Floor::Open, &body, &[&edits]);
    match keyed(Floor::Held, &body, &[&edits]) {
        Err(EditProblem::BelowFloor { .. }) => assert!(made.is_ok()),
        held => assert_eq!(held, made, "the floor changes what it lets pass"),
    }
    match (made, by_hand) {
        (Ok(made), Some(expected)) => {
            assert_eq!(made, without_delivery(expected));
            assert_eq!(made.get("model"), body.get("model"));
            let passed_on =
                keyed(Floor::Open, &body, &[&edits, &[]]).expect("no edits, no mistakes");
            assert_eq!(passed_on, made, "the next keyer's body differs");
        }
        (Err(_), None) => {}
        (made, expected) => panic!("{edits:?} of {body}: {made:?}, but {expected:?}"),
    }
});

/// The body that is hashed after keyers with these edits.
fn keyed(floor: Floor, body: &Value, keyers: &[&[Edit]]) -> Result<Value, EditProblem> {
    let keyers = keyers
        .iter()
        .map(|edits| Arc::new(Editing(floor, edits.to_vec())) as Arc<dyn Keyer>);
    let request = KeyRequest {
        endpoint: Endpoint::ChatCompletions,
        headers: Arc::new(NoHeaders),
        body: Arc::new(body.clone()),
        text: None,
    };
    let chain = KeyerChain::new(keyers.collect());
    match chain.consult(request, Scope::of([])).keyed {
        Keyed::Cache(ticket) => Ok(serde_json::from_slice(&ticket.body).expect("it is JSON")),
        Keyed::Bypass(BypassReason::BadEdit(error)) => Err(error.problem),
        Keyed::Bypass(reason) => panic!("{reason}"),
    }
}

fn without_delivery(body: Value) -> Value {
    match body {
        Value::Object(mut fields) => {
            fields.retain(|name, _| name != "stream" && name != "stream_options");
            Value::Object(fields)
        }
        other => other,
    }
}

/// Edits of places in this body, and of some beside them.
fn edits(body: &Value, source: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Edit>> {
    let mut places = Vec::new();
    collect(body, String::new(), &mut places);
    let mut edits = Vec::new();
    while !source.is_empty() && edits.len() < MOST {
        edits.push(Edit {
            rule: "rule".to_owned(),
            change: change(body, &places, source)?,
        });
    }
    Ok(edits)
}

fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(field, format!("{pointer}/{}", escaped(name)), places);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(pointer);
}

fn change(
    body: &Value,
    places: &[String],
    source: &mut Unstructured<'_>,
) -> arbitrary::Result<Change> {
    let mut pointer = source.choose(places)?.clone();
    if source.ratio(1, 16)? {
        pointer.push_str(<&str>::arbitrary(source)?);
    }
    Ok(match source.int_in_range(0..=3)? {
        0 => Change::Remove { pointer },
        1 => Change::Replace {
            pointer,
            json: (*source.choose(&["1", "{}", "[\"a\"]", "null", "{", ""])?).to_owned(),
        },
        _ => {
            let text = body.pointer(&pointer).and_then(Value::as_str);
            let length = u32::try_from(text.map_or(0, str::len)).unwrap_or(u32::MAX);
            Change::Rewrite {
                pointer,
                start: source.int_in_range(0..=length)?,
                end: source.int_in_range(0..=length.saturating_add(1))?,
                replacement: <&str>::arbitrary(source)?.to_owned(),
            }
        }
    })
}

/// The body with all edits made; `None` where one of them must be refused.
fn edited(body: &Value, edits: &[Edit]) -> Option<Value> {
    let edits: Vec<_> = edits
        .iter()
        .map(|edit| Some((path(&edit.change)?, &edit.change)))
        .collect::<Option<_>>()?;
    for (at, (path, change)) in edits.iter().enumerate() {
        if path.first().is_none_or(|field| field == "model") {
            return None;
        }
        check(body, change)?;
        let others = edits[at + 1..].iter();
        if others
            .into_iter()
            .any(|(other_path, other)| clash((path, change), (other_path, other)))
        {
            return None;
        }
    }
    made(body, &mut Vec::new(), &edits)
}

/// The steps of a pointer in RFC 6901's form.
fn path(change: &Change) -> Option<Vec<String>> {
    let (Change::Remove { pointer }
    | Change::Replace { pointer, .. }
    | Change::Rewrite { pointer, .. }) = change;
    let steps = pointer.strip_prefix('/')?.split('/');
    Some(
        steps
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

/// Whether a change can be made on its own.
fn check(body: &Value, change: &Change) -> Option<()> {
    match change {
        Change::Remove { pointer } => body.pointer(pointer).map(|_| ()),
        Change::Replace { pointer, json } => {
            serde_json::from_str::<Value>(json).ok()?;
            body.pointer(pointer).map(|_| ())
        }
        Change::Rewrite {
            pointer,
            start,
            end,
            ..
        } => {
            let text = body.pointer(pointer)?.as_str()?;
            text.get(*start as usize..*end as usize).map(|_| ())
        }
    }
}

/// Whether two edits change the same thing.
fn clash(one: (&[String], &Change), other: (&[String], &Change)) -> bool {
    if one.0 == other.0 {
        match (rewritten(one.1), rewritten(other.1)) {
            (Some(one), Some(other)) => one.start < other.end && other.start < one.end,
            _ => true,
        }
    } else {
        one.0.starts_with(other.0) || other.0.starts_with(one.0)
    }
}

fn rewritten(change: &Change) -> Option<Range<u32>> {
    match change {
        Change::Rewrite { start, end, .. } => Some(*start..*end),
        Change::Remove { .. } | Change::Replace { .. } => None,
    }
}

/// The value at this path with its edits made; `None` where it is removed.
fn made(value: &Value, path: &mut Vec<String>, edits: &[(Vec<String>, &Change)]) -> Option<Value> {
    let here = edits.iter().filter(|(place, _)| place == path);
    let here: Vec<_> = here.map(|(_, change)| *change).collect();
    match here.first() {
        Some(Change::Remove { .. }) => return None,
        Some(Change::Replace { json, .. }) => return serde_json::from_str(json).ok(),
        Some(Change::Rewrite { .. }) => return Some(respelt(value.as_str()?, here).into()),
        None => {}
    }
    let mut inner = |name: String, value: &Value| {
        path.push(name);
        let made = made(value, path, edits);
        path.pop();
        made
    };
    Some(match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .filter_map(|(name, field)| Some((name.clone(), inner(name.clone(), field)?)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| inner(index.to_string(), item))
            .collect(),
        other => other.clone(),
    })
}

/// The text with its rewrites made from its end to its beginning.
fn respelt(text: &str, mut rewrites: Vec<&Change>) -> String {
    let place = |change: &&Change| rewritten(change).map(|range| (range.start, range.end));
    rewrites.sort_by_key(place);
    let mut text = text.to_owned();
    for change in rewrites.iter().rev() {
        if let (Some(range), Change::Rewrite { replacement, .. }) = (rewritten(change), change) {
            text.replace_range(range.start as usize..range.end as usize, replacement);
        }
    }
    text
}
