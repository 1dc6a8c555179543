//! What keyers are asked about.

use std::fmt;
use std::sync::Arc;

use deja_cache::{Endpoint, KeyRequest, NoHeaders};
use serde_json::{Map, Value, json};

/// A request of a known size.
#[derive(Clone, Copy)]
pub(crate) enum Sample {
    /// A question in plain words, 125 bytes.
    Question,
    /// The first request of a session of Claude Code, 50 kilobytes.
    ClaudeCode,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.body().to_string().len())
    }
}

impl Sample {
    pub(crate) fn body(self) -> Value {
        match self {
            Self::Question => question(),
            Self::ClaudeCode => claude_code(),
        }
    }

    pub(crate) fn endpoint(self) -> Endpoint {
        match self {
            Self::Question => Endpoint::ChatCompletions,
            Self::ClaudeCode => Endpoint::Messages,
        }
    }

    pub(crate) fn request(self) -> KeyRequest {
        let body = self.body();
        KeyRequest {
            endpoint: self.endpoint(),
            headers: Arc::new(NoHeaders),
            text: Some(body.to_string().into()),
            body: Arc::new(body),
        }
    }
}

fn question() -> Value {
    json!({
        "model": "m",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "temperature": 0,
        "max_tokens": 100,
        "top_p": 0.95,
    })
}

/// The shape that Claude Code's requests have, with twelve tools; every word is made up.
fn claude_code() -> Value {
    json!({
        "model": "claude-sonnet",
        "max_tokens": 128_000,
        "stream": true,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking", "keep": "all"}]},
        "metadata": {"user_id": concat!(
            r#"{"device_id":"0c7e5b0ad2f841a9b3c60f8e7d1a4c55","account_uuid":"","#,
            r#""session_id":"5f0d1c3e-9a8b-4c7d-8e6f-1a2b3c4d5e6f"}"#
        )},
        "system": [
            text("x-anthropic-billing-header: cc_version=2.1.330.aad; cc_entrypoint=sdk-cli; cch=36ee5;"),
            marked("You are an agent that writes programs."),
            marked(&PROMPT.repeat(165)),
        ],
        "tools": (0..12).map(tool).collect::<Vec<_>>(),
        "messages": [
            {"role": "user", "content": [
                text("<system-reminder>\n# gitStatus\nCurrent branch: main\n\nStatus:\nM src/lib.rs\n\
                     </system-reminder>\n"),
                text("<system-reminder>\nToday's date is 2026-08-16.\n</system-reminder>\n"),
                marked("Why does the test of the parser fail?"),
            ]},
            {"role": "system", "content":
                "# Environment\n - Working directory: /home/ada/parser\n - Platform: linux\n"},
        ],
    })
}

const PROMPT: &str = "# Doing tasks\nRead a file before you change it; say \"done\" when it is. \
    Keep to the style that stands there, and name what you left out.\n";

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn marked(text: &str) -> Value {
    json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}})
}

fn tool(number: u32) -> Value {
    let parameter =
        json!({"type": "string", "description": "The absolute path of the file to read"});
    let parameters: Map<_, _> = (0..6)
        .map(|number| (format!("parameter_{number}"), parameter.clone()))
        .collect();
    json!({
        "name": format!("Tool{number:02}"),
        "description": "Reads a file.\n\n- Give its \"absolute\" path.\n".repeat(28),
        "input_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": parameters,
            "required": ["parameter_0"],
            "additionalProperties": false,
        },
    })
}
