//! From the events of an Anthropic answer to the chunks of an `OpenAI` one.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{CHAT_ID, MESSAGE_ID, bare_id, error, text};

/// Translates one streamed answer.
///
/// The last chunk tells the token counts, as to a client that asks for them with
/// `stream_options.include_usage`; a client that does not must not see it. The frame with `[DONE]`
/// is the caller's to send, once [`is_finished`](Self::is_finished).
#[derive(Debug)]
pub struct MessagesToChat {
    id: String,
    created: u64,
    model: String,
    /// Tool calls so far.
    calls: usize,
    /// The number of the call whose block is open.
    open_call: Option<usize>,
    finish_reason: String,
    usage: Usage,
    progress: Progress,
}

/// How far an answer is.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// More may come.
    Under,
    /// It is whole.
    Whole,
    /// It ended with an error.
    Failed,
}

/// Token counts as Anthropic tells them: some at the start, some at the end, the later ones final.
#[derive(Debug, Default)]
struct Usage {
    input: u64,
    cache_creation: u64,
    cache_read: u64,
    output: u64,
}

impl MessagesToChat {
    /// A translator at the start of an answer, which begins now.
    #[must_use]
    pub fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            id: String::new(),
            created: since_epoch.unwrap_or_default().as_secs(),
            model: String::new(),
            calls: 0,
            open_call: None,
            finish_reason: "stop".to_owned(),
            usage: Usage::default(),
            progress: Progress::Under,
        }
    }

    /// The chunks that this event brings. An error ends the answer.
    pub fn push(&mut self, event: &Value) -> Vec<Value> {
        if self.progress != Progress::Under {
            return Vec::new();
        }
        match text(event, "type") {
            "message_start" => self.start(&event["message"]),
            "content_block_start" => self.open(&event["content_block"]),
            "content_block_delta" => self.read(&event["delta"]),
            "message_delta" => self.note(event),
            "message_stop" => self.stop(),
            "error" => {
                self.progress = Progress::Failed;
                vec![error::stream_error_to_openai(event)]
            }
            _ => Vec::new(),
        }
    }

    /// Whether the answer is whole, so that `[DONE]` may follow.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.progress == Progress::Whole
    }

    fn start(&mut self, message: &Value) -> Vec<Value> {
        self.id = format!("{CHAT_ID}{}", bare_id(message, MESSAGE_ID));
        text(message, "model").clone_into(&mut self.model);
        self.usage.update(&message["usage"]);
        vec![self.delta(&json!({"role": "assistant", "content": ""}))]
    }

    fn open(&mut self, block: &Value) -> Vec<Value> {
        self.open_call = None;
        match text(block, "type") {
            "text" => self.piece("content", text(block, "text")),
            "thinking" => self.piece("reasoning_content", text(block, "thinking")),
            "tool_use" => self.call(block),
            // What the vendor's own tools do is left out.
            "redacted_thinking" => Vec::new(),
            kind if kind.ends_with("tool_use") || kind.ends_with("tool_result") => Vec::new(),
            kind => self.fail(kind),
        }
    }

    /// Ends the answer where a part has no form in this API.
    fn fail(&mut self, kind: &str) -> Vec<Value> {
        self.progress = Progress::Failed;
        let message = format!("the answer has a part without a form in this API: `{kind}`");
        let error = json!({"error": {"type": "api_error", "message": message}});
        vec![error::stream_error_to_openai(&error)]
    }

    /// Some servers give the whole input at once, here.
    fn call(&mut self, block: &Value) -> Vec<Value> {
        let input = &block["input"];
        let whole = input.as_object().is_some_and(|input| !input.is_empty());
        let arguments = if whole {
            input.to_string()
        } else {
            String::new()
        };
        let call = json!({
            "index": self.calls,
            "id": text(block, "id"),
            "type": "function",
            "function": {"name": text(block, "name"), "arguments": arguments},
        });
        self.open_call = Some(self.calls);
        self.calls += 1;
        vec![self.delta(&json!({"tool_calls": [call]}))]
    }

    /// Input goes to the call that is open; that of a tool of the server's own is not told.
    fn read(&mut self, delta: &Value) -> Vec<Value> {
        match (text(delta, "type"), self.open_call) {
            ("text_delta", _) => self.piece("content", text(delta, "text")),
            ("thinking_delta", _) => self.piece("reasoning_content", text(delta, "thinking")),
            ("input_json_delta", Some(call)) => self.arguments(call, text(delta, "partial_json")),
            ("input_json_delta" | "signature_delta" | "citations_delta", _) => Vec::new(),
            (kind, _) => self.fail(kind),
        }
    }

    fn piece(&self, name: &str, piece: &str) -> Vec<Value> {
        if piece.is_empty() {
            return Vec::new();
        }
        vec![self.delta(&json!({name: piece}))]
    }

    fn arguments(&self, call: usize, piece: &str) -> Vec<Value> {
        if piece.is_empty() {
            return Vec::new();
        }
        let call = json!({"index": call, "function": {"arguments": piece}});
        vec![self.delta(&json!({"tool_calls": [call]}))]
    }

    fn note(&mut self, event: &Value) -> Vec<Value> {
        if let Some(reason) = event["delta"]["stop_reason"].as_str() {
            finish_reason(reason).clone_into(&mut self.finish_reason);
        }
        self.usage.update(&event["usage"]);
        Vec::new()
    }

    fn stop(&mut self) -> Vec<Value> {
        self.progress = Progress::Whole;
        let end = json!({"index": 0, "delta": {}, "finish_reason": self.finish_reason});
        let mut counts = self.chunk(&json!([]));
        counts["usage"] = self.usage.to_chat();
        vec![self.chunk(&json!([end])), counts]
    }

    fn delta(&self, delta: &Value) -> Value {
        self.chunk(&json!([{"index": 0, "delta": delta, "finish_reason": null}]))
    }

    fn chunk(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

impl Default for MessagesToChat {
    fn default() -> Self {
        Self::new()
    }
}

impl Usage {
    fn update(&mut self, usage: &Value) {
        for (name, count) in [
            ("input_tokens", &mut self.input),
            ("cache_creation_input_tokens", &mut self.cache_creation),
            ("cache_read_input_tokens", &mut self.cache_read),
            ("output_tokens", &mut self.output),
        ] {
            *count = usage[name].as_u64().unwrap_or(*count);
        }
    }

    /// To `OpenAI`, prompt tokens are all, whether a cache served them or not.
    fn to_chat(&self) -> Value {
        let uncached = self.input.saturating_add(self.cache_creation);
        let prompt = uncached.saturating_add(self.cache_read);
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": self.output,
            "total_tokens": prompt.saturating_add(self.output),
            "prompt_tokens_details": {"cached_tokens": self.cache_read},
        })
    }
}

/// A reason without a counterpart stays, so that it does not pass for a good end.
fn finish_reason(stop_reason: &str) -> &str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        "end_turn" | "stop_sequence" => "stop",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translate::{
        ChatToMessages,
        testing::{any_payload, chunks, heard, sayings},
    };

    fn translated(events: &[Value]) -> Vec<Value> {
        let mut translator = MessagesToChat::new();
        let chunks = events.iter().flat_map(|event| translator.push(event));
        chunks.collect()
    }

    fn start() -> Value {
        json!({"type": "message_start", "message": {
            "id": "msg_7", "model": "m", "content": [],
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 2,
                "cache_read_input_tokens": 5, "output_tokens": 1},
        }})
    }

    fn open(block: &Value) -> Value {
        json!({"type": "content_block_start", "index": 0, "content_block": block})
    }

    fn delta(delta: &Value) -> Value {
        json!({"type": "content_block_delta", "index": 0, "delta": delta})
    }

    fn close() -> Value {
        json!({"type": "content_block_stop", "index": 0})
    }

    fn end(stop_reason: &str) -> [Value; 2] {
        let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
        [
            json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}),
            json!({"type": "message_stop"}),
        ]
    }

    fn deltas(chunks: &[Value]) -> Vec<Value> {
        let deltas = chunks
            .iter()
            .map(|chunk| chunk["choices"][0]["delta"].clone());
        deltas.filter(|delta| !delta.is_null()).collect()
    }

    #[test]
    fn thoughts_text_and_a_call() {
        let mut events = vec![
            start(),
            json!({"type": "ping"}),
            open(&json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(&json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(&json!({"type": "signature_delta", "signature": "secret"})),
            close(),
            open(&json!({"type": "text", "text": ""})),
            delta(&json!({"type": "text_delta", "text": "Looking."})),
            close(),
            open(&json!({"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}})),
            delta(&json!({"type": "input_json_delta", "partial_json": ""})),
            delta(&json!({"type": "input_json_delta", "partial_json": "{}"})),
            close(),
        ];
        events.extend(end("tool_use"));
        let chunks = translated(&events);
        let expected = [
            json!({"role": "assistant", "content": ""}),
            json!({"reasoning_content": "hm"}),
            json!({"content": "Looking."}),
            json!({"tool_calls": [{"index": 0, "id": "toolu_1", "type": "function",
                "function": {"name": "ls", "arguments": ""}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            json!({}),
        ];
        assert_eq!(deltas(&chunks), expected);
        for chunk in &chunks {
            assert_eq!(chunk["id"], "chatcmpl-7");
            assert_eq!(chunk["object"], "chat.completion.chunk");
            assert_eq!(chunk["model"], "m");
        }
        let [.., last, counts] = chunks.as_slice() else {
            panic!("an answer has an end");
        };
        assert_eq!(last["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(counts["choices"], json!([]));
        let expected = json!({
            "prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19,
            "prompt_tokens_details": {"cached_tokens": 5},
        });
        assert_eq!(counts["usage"], expected);
    }

    #[test]
    fn input_that_comes_whole_is_kept() {
        let call = open(&json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}));
        let chunks = translated(&[call]);
        let function = &chunks[0]["choices"][0]["delta"]["tool_calls"][0]["function"];
        assert_eq!(function["arguments"], "{\"a\":1}");
    }

    #[test]
    fn what_the_servers_own_tools_do_stays_there() {
        let events = [
            open(&json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
            close(),
            open(&json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
            delta(&json!({"type": "input_json_delta", "partial_json": "{}"})),
        ];
        assert_eq!(translated(&events).len(), 1);
    }

    #[test]
    fn a_part_without_a_form_is_an_error() {
        for event in [
            open(&json!({"type": "image", "source": {}})),
            delta(&json!({"type": "image_delta", "data": "x"})),
        ] {
            let mut translator = MessagesToChat::new();
            translator.push(&start());
            assert!(translator.push(&event)[0]["error"].is_object(), "{event}");
            assert!(translator.push(&json!({"type": "message_stop"})).is_empty());
            assert!(!translator.is_finished());
        }
    }

    #[test]
    fn every_stop_reason_has_its_finish_reason() {
        for (stop, finish) in [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("pause_turn", "pause_turn"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("refusal", "content_filter"),
        ] {
            let chunks = translated(&end(stop));
            assert_eq!(chunks[0]["choices"][0]["finish_reason"], finish, "{stop}");
        }
    }

    #[test]
    fn only_a_whole_answer_is_finished() {
        let mut translator = MessagesToChat::new();
        translator.push(&start());
        assert!(!translator.is_finished());
        for event in end("end_turn") {
            translator.push(&event);
        }
        assert!(translator.is_finished());
        assert!(translator.push(&start()).is_empty());
    }

    #[test]
    fn an_error_ends_the_answer() {
        let mut translator = MessagesToChat::new();
        let error = json!({"type": "overloaded_error", "message": "busy"});
        let chunks = translator.push(&json!({"type": "error", "error": error}));
        assert_eq!(chunks[0]["error"]["message"], "busy");
        assert!(translator.push(&json!({"type": "message_stop"})).is_empty());
        assert!(!translator.is_finished());
    }

    proptest! {
        #[test]
        fn an_answer_survives_the_way_there_and_back(sayings in sayings()) {
            let chunks = chunks(&sayings);
            let mut there = ChatToMessages::new();
            let mut events: Vec<_> = chunks.iter().flat_map(|chunk| there.push(chunk)).collect();
            events.extend(there.finish());
            prop_assert_eq!(heard(&translated(&events)), heard(&chunks));
        }

        #[test]
        fn no_payload_is_too_strange(payloads in prop::collection::vec(any_payload(), 0..6)) {
            translated(&payloads);
        }
    }
}
