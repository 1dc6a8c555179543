//! What this crate's tests share: requests of the shape that Codex sends, and bodies with their
//! edits made.

use deja_plugin::Settings as _;
use deja_plugin::keyer::Edit;
use serde_json::{Value, json};

use crate::settings::Settings;
use crate::walk;

/// What differs from one session to another.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Stands in every id and time.
    pub(crate) number: u16,
    /// The working directory.
    pub(crate) directory: &'static str,
    pub(crate) date: &'static str,
    /// Where Codex is installed.
    pub(crate) home: &'static str,
}

impl Session {
    pub(crate) fn new(number: u16) -> Self {
        Self {
            number,
            directory: "/code/a",
            date: "2026-11-28",
            home: "/home/ada/.codex",
        }
    }

    /// The second request of a session: after two calls of tools, and their outputs.
    pub(crate) fn request(&self, prompt: &str) -> Value {
        json!({
            "model": "m",
            "stream": true,
            "store": false,
            "include": ["reasoning.encrypted_content"],
            "reasoning": {"summary": "auto"},
            "prompt_cache_key": self.thread(),
            "client_metadata": self.metadata(),
            "tools": [
                {"type": "function", "name": "exec_command", "description": "Runs a command.",
                    "strict": false, "parameters": {"type": "object"}},
                {"type": "web_search", "external_web_access": false},
            ],
            "input": self.input(prompt),
        })
    }

    fn thread(&self) -> String {
        format!("01a22495-e43e-7e51-b9b7-{:012}", self.number)
    }

    fn metadata(&self) -> Value {
        let (number, thread) = (self.number, self.thread());
        let turn = json!({"thread_id": thread, "turn_started_at_unix_ms": number});
        json!({
            "session_id": thread,
            "thread_id": thread,
            "turn_id": format!("turn-{number}"),
            "root_turn_id": format!("turn-{number}"),
            "x-codex-installation-id": format!("installation-{number}"),
            "x-codex-window-id": format!("{thread}:0"),
            "x-codex-turn-metadata": turn.to_string(),
        })
    }

    fn input(&self, prompt: &str) -> Value {
        let (number, directory) = (self.number, self.directory);
        let id = |prefix: &str, name: &str| format!("{prefix}_{number}{name}");
        let rules = format!("# AGENTS.md instructions for {directory}\n\nBe kind.");
        let roots = format!("The writable roots are `/tmp`, `{directory}`.");
        json!([
            message("developer", &id("msg", "a"), &["You are Codex.", &self.skills(), &roots]),
            message("user", &id("msg", "b"), &[&rules, &self.environment()]),
            message("user", &id("msg", "c"), &[prompt]),
            {"type": "reasoning", "id": id("rs", "a"), "summary": [], "content": null,
                "encrypted_content": "gAAAA"},
            {"type": "function_call", "id": id("fc", "a"), "call_id": id("call", "a"),
                "name": "exec_command", "arguments": "{\"cmd\": \"ls\"}"},
            {"type": "custom_tool_call", "id": id("ctc", "a"), "call_id": id("call", "b"),
                "name": "exec", "input": "ls"},
            {"type": "custom_tool_call_output", "id": id("ctco", "a"), "call_id": id("call", "b"),
                "output": [
                    {"type": "input_text",
                        "text": format!("Script completed\nWall time 0.{number} seconds\nOutput:\n")},
                    {"type": "input_text", "text": "b.rs"},
                ]},
            {"type": "function_call_output", "id": id("fco", "a"), "call_id": id("call", "a"),
                "output": format!("Chunk ID: {number:06x}\nWall time: 0.{number} seconds\n\
                    Process exited with code 0\nOutput:\na.rs")},
        ])
    }

    fn skills(&self) -> String {
        let home = self.home;
        format!(
            "<skills_instructions>\n### Skill roots\n- `r0` = `{home}/skills`\n- images (file: \
             r0/images/SKILL.md)\n</skills_instructions>"
        )
    }

    fn environment(&self) -> String {
        let (directory, date) = (self.directory, self.date);
        format!(
            "<environment_context>\n  <cwd>{directory}</cwd>\n  <shell>bash</shell>\n  \
             <current_date>{date}</current_date>\n  <timezone>Etc/UTC</timezone>\n  <filesystem>\
             <root>{directory}</root><path>{directory}/.git</path></filesystem>\n\
             </environment_context>"
        )
    }
}

fn message(role: &str, id: &str, texts: &[&str]) -> Value {
    let part = |text: &&str| json!({"type": "input_text", "text": text});
    let content: Vec<_> = texts.iter().map(part).collect();
    json!({"type": "message", "id": id, "role": role, "content": content})
}

/// What the keyer asks for in a body.
pub(crate) fn decided(body: &Value, config: &str) -> Vec<Edit> {
    walk::edits(body, &Settings::parse(config).expect("these are settings"))
}

/// A body with the keyer's edits made.
pub(crate) fn canonical(body: &Value, config: &str) -> Value {
    deja_plugin::testing::canonical(body, &decided(body, config))
}
