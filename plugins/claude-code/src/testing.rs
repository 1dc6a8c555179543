//! What this crate's tests share: requests of the shape that Claude Code sends, and bodies with
//! their edits made.

use deja_plugin::keyer::Recipe;
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
    deja_plugin::testing::canonical(body, &decided(body, config).edits)
}
