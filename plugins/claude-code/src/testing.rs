//! What this crate's tests share: requests of the shape that Claude Code sends, and bodies with
//! their edits made.

use deja_plugin::keyer::{Change, Edit, Recipe};
use serde_json::{Value, json};

use crate::recipe;
use crate::settings::Settings;

/// What differs from one session to another.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Stands in every id, and in the state of the prompt cache.
    pub(crate) number: u16,
    /// What was spent so far.
    pub(crate) tokens: u32,
    /// Whether the agent marks what the prompt cache should hold.
    pub(crate) marks_cache: bool,
    /// Whether texts stand alone where they can.
    pub(crate) writes_strings: bool,
    /// Whether the session is an old one, taken up again.
    pub(crate) is_resumed: bool,
    /// How far the list of tools is turned.
    pub(crate) turn: usize,
}

impl Session {
    pub(crate) fn new(number: u16) -> Self {
        Self {
            number,
            tokens: 1_000 * u32::from(number),
            marks_cache: true,
            writes_strings: false,
            is_resumed: false,
            turn: 0,
        }
    }

    /// The third request of a session: after a call of a tool, and its result.
    pub(crate) fn request(&self, prompt: &str) -> Value {
        let mut body = json!({
            "model": "claude-opus-5",
            "max_tokens": 128_000,
            "stream": true,
            "thinking": {"type": "adaptive"},
            "metadata": {"user_id": self.user_id()},
            "diagnostics": {"previous_message_id": format!("msg_{:04}", self.number)},
            "system": self.system(),
            "tools": self.tools(),
            "messages": self.messages(prompt),
        });
        if !self.marks_cache {
            without_cache_control(&mut body);
        }
        body
    }

    fn user_id(&self) -> String {
        json!({"device_id": "d", "account_uuid": "", "session_id": self.number.to_string()})
            .to_string()
    }

    fn system(&self) -> Value {
        let number = self.number;
        let header = format!(
            "x-anthropic-billing-header: cc_version=2.1.330.{number:03x}; cc_entrypoint=cli; cch={number:05x};"
        );
        json!([
            {"type": "text", "text": header},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be brief.\nBe right.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ])
    }

    fn tools(&self) -> Vec<Value> {
        let mut tools: Vec<_> = ["Bash", "Agent", "Read", "Write"]
            .map(|name| json!({"name": name, "description": format!("{name} it"), "input_schema": {"type": "object"}}))
            .into();
        let turn = self.turn % tools.len();
        tools.rotate_left(turn);
        tools[3]["cache_control"] = json!({"type": "ephemeral"});
        tools
    }

    fn messages(&self, prompt: &str) -> Value {
        let (number, tokens) = (self.number, self.tokens);
        let event = if self.is_resumed { "resume" } else { "startup" };
        let mark = json!({"type": "ephemeral"});
        json!([
            {"role": "user", "content": [
                reminder(&format!("SessionStart:{event} hook success: ok\n<session-id>{number}</session-id>")),
                reminder("# gitStatus\nCurrent branch: main"),
                {"type": "text", "text": prompt},
            ]},
            {"role": "system", "content": self.text("# Environment\n - Platform: linux")},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I look.", "signature": format!("EqQB{number}")},
                {"type": "tool_use", "id": format!("toolu_{number}a"), "name": "Read", "input": {"path": "a"}},
                {"type": "tool_use", "id": format!("toolu_{number}b"), "name": "Bash", "input": {"command": "ls"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": format!("toolu_{number}b"), "content": "a.rs"},
                {"type": "tool_result", "tool_use_id": format!("toolu_{number}a"),
                    "content": [{"type": "text", "text": "1 fn main() {}", "cache_control": mark}]},
                reminder(&format!("Token usage: {tokens}/200000; {} remaining", 200_000_000 - tokens)),
            ]},
            {"role": "system", "content": format!("<total_tokens>{tokens} tokens left</total_tokens>")},
            {"role": "user", "content": self.text("Go on.")},
        ])
    }

    fn text(&self, text: &str) -> Value {
        if self.writes_strings {
            Value::from(text)
        } else {
            json!([{"type": "text", "text": text}])
        }
    }
}

fn reminder(words: &str) -> Value {
    json!({"type": "text", "text": format!("<system-reminder>\n{words}\n</system-reminder>\n")})
}

fn without_cache_control(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.remove("cache_control");
            fields.values_mut().for_each(without_cache_control);
        }
        Value::Array(items) => items.iter_mut().for_each(without_cache_control),
        _ => {}
    }
}

/// What the keyer says about a body.
pub(crate) fn decided(body: &Value, config: &str) -> Recipe {
    let settings = Settings::parse(config).expect("these are settings");
    recipe(body.to_string().as_bytes(), &settings)
}

/// A body with the keyer's edits made.
pub(crate) fn canonical(body: &Value, config: &str) -> Value {
    let mut edits: Vec<_> = decided(body, config)
        .edits
        .into_iter()
        .map(Placed::new)
        .collect();
    edits.sort();
    for pair in edits.windows(2) {
        assert!(!pair[0].overlaps(&pair[1]), "{pair:?}");
    }
    let mut body = body.clone();
    for placed in edits.into_iter().rev() {
        make(&mut body, placed.edit.change);
    }
    body
}

/// An edit in the order of places: parents before children, items by number, rewrites by offset.
#[derive(Debug)]
struct Placed {
    place: (Vec<Step>, u32),
    edit: Edit,
}

/// One step of a pointer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Item(usize),
    Field(String),
}

impl Placed {
    fn new(edit: Edit) -> Self {
        let (pointer, start) = match &edit.change {
            Change::Remove(pointer) => (pointer, 0),
            Change::Replace(assignment) => (&assignment.pointer, 0),
            Change::Rewrite(splice) => (&splice.pointer, splice.start),
        };
        let step = |step: &str| {
            step.parse()
                .map_or_else(|_| Step::Field(step.to_owned()), Step::Item)
        };
        let steps = pointer.split('/').map(step).collect();
        let place = (steps, start);
        Self { place, edit }
    }

    fn overlaps(&self, next: &Self) -> bool {
        if let (Change::Rewrite(one), Change::Rewrite(other)) =
            (&self.edit.change, &next.edit.change)
        {
            return one.pointer == other.pointer && other.start < one.end;
        }
        next.place.0.starts_with(&self.place.0)
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Placed {}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

fn make(body: &mut Value, change: Change) {
    match change {
        Change::Remove(pointer) => remove(body, &pointer),
        Change::Replace(assignment) => {
            let value = at(body, &assignment.pointer);
            *value = serde_json::from_str(&assignment.json).expect("it is JSON");
        }
        Change::Rewrite(splice) => {
            let Value::String(text) = at(body, &splice.pointer) else {
                panic!("{} is no string", splice.pointer);
            };
            text.replace_range(
                splice.start as usize..splice.end as usize,
                &splice.replacement,
            );
        }
    }
}

fn remove(body: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').expect("it is a pointer");
    match at(body, parent) {
        Value::Object(fields) => drop(fields.remove(name).expect("the field is there")),
        Value::Array(items) => drop(items.remove(name.parse().expect("it is a number"))),
        other => panic!("{other} has no {name}"),
    }
}

fn at<'a>(body: &'a mut Value, pointer: &str) -> &'a mut Value {
    body.pointer_mut(pointer)
        .unwrap_or_else(|| panic!("nothing stands at {pointer}"))
}
