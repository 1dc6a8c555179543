//! Answers as they are kept, and replayed in either form.

use bytes::Bytes;
use serde_json::Value;

use crate::{
    Api, Endpoint, Fresh, Incomplete, Recorder, Usage, complete::check, slot::Ids,
    stream::StreamTemplate, template::Template,
};

/// A whole, successful answer in its endpoint's wire format: the only kind that is ever stored.
/// Whichever form it came in is kept as it came, but for its ids and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    endpoint: Endpoint,
    document: Template,
    /// Kept where the answer came as a stream. Where it did not, a stream is made of the document
    /// when one is asked for, which is seldom: to keep one would cost every miss its making.
    stream: Option<StreamTemplate>,
    usage: Usage,
    /// Its choices or embeddings; one where it has no list of them.
    parts: usize,
}

impl Answer {
    /// The answer that came as this document.
    ///
    /// # Errors
    /// Says why it is none.
    pub fn from_document(endpoint: Endpoint, text: &[u8]) -> Result<Self, Incomplete> {
        let document = serde_json::from_slice(text).map_err(|_| Incomplete::NotJson)?;
        check(endpoint, &document)?;
        Self::new(endpoint, text, &document, None)
    }

    /// The answer that came as a stream which says the same as this document.
    pub(crate) fn recorded(
        endpoint: Endpoint,
        document: &Value,
        stream: StreamTemplate,
    ) -> Result<Self, Incomplete> {
        check(endpoint, document)?;
        let text = document.to_string();
        Self::new(endpoint, text.as_bytes(), document, Some(stream))
    }

    fn new(
        endpoint: Endpoint,
        text: &[u8],
        document: &Value,
        stream: Option<StreamTemplate>,
    ) -> Result<Self, Incomplete> {
        let piece = Ids::new(endpoint).piece(text, text);
        let piece = piece.map_err(|_| Incomplete::NotAnAnswer)?;
        Ok(Self {
            endpoint,
            document: Template::of(piece),
            stream,
            usage: usage(endpoint.api(), document),
            parts: parts(endpoint, document),
        })
    }

    /// The answer as one JSON document.
    #[must_use]
    pub fn document(&self, fresh: &Fresh) -> Bytes {
        let mut text = Vec::with_capacity(self.document.length());
        self.document.render(fresh, &mut text);
        text.into()
    }

    /// All frames of the answer as a stream; none where its endpoint does not stream. `usage` says
    /// whether a frame is wanted that tells the token counts and nothing else.
    #[must_use]
    pub fn stream(&self, fresh: &Fresh, usage: bool) -> Option<Bytes> {
        if let Some(stream) = &self.stream {
            return Some(stream.render(fresh, usage).into());
        }
        let document = serde_json::from_slice(&self.document(fresh)).ok()?;
        let streams = self.endpoint.streams();
        let stream = streams.then(|| Recorder::unfolded(self.endpoint, &document))?;
        Some(stream.render(fresh, usage).into())
    }

    /// Returns the number of its choices or embeddings; one where its endpoint has no list of them.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// What the answer took.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Bytes of memory that the answer occupies, its own bookkeeping included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let stream = self.stream.as_ref().map_or(0, StreamTemplate::heap_bytes);
        size_of::<Self>() + self.document.heap_bytes() + stream
    }
}

fn parts(endpoint: Endpoint, document: &Value) -> usize {
    let list = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => &document["choices"],
        Endpoint::Embeddings => &document["data"],
        Endpoint::Responses | Endpoint::Messages | Endpoint::CountTokens => &Value::Null,
    };
    list.as_array().map_or(1, Vec::len)
}

/// The token counts that a document tells.
fn usage(api: Api, document: &Value) -> Usage {
    let sum = |paths: &[&str]| {
        let counts = paths
            .iter()
            .filter_map(|path| document["usage"].pointer(path));
        let sum = counts
            .filter_map(Value::as_u64)
            .fold(0, u64::saturating_add);
        u32::try_from(sum).unwrap_or(u32::MAX)
    };
    match api {
        Api::OpenAi => Usage {
            prompt_tokens: sum(&["/prompt_tokens"]),
            cached_tokens: sum(&["/prompt_tokens_details/cached_tokens"]),
            completion_tokens: sum(&["/completion_tokens"]),
        },
        Api::Responses => Usage {
            prompt_tokens: sum(&["/input_tokens"]),
            cached_tokens: sum(&["/input_tokens_details/cached_tokens"]),
            completion_tokens: sum(&["/output_tokens"]),
        },
        Api::Anthropic => Usage {
            prompt_tokens: sum(&[
                "/input_tokens",
                "/cache_creation_input_tokens",
                "/cache_read_input_tokens",
            ]),
            cached_tokens: sum(&["/cache_read_input_tokens"]),
            completion_tokens: sum(&["/output_tokens"]),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::json;

    use super::*;
    use crate::{FrameReader, frame, openai, payload};

    fn parsed(text: &[u8]) -> Value {
        serde_json::from_slice(text).expect("it is JSON")
    }

    fn frames(stream: Bytes) -> Vec<Bytes> {
        let mut reader = FrameReader::new(usize::MAX);
        reader.push(stream);
        std::iter::from_fn(|| reader.next_frame().expect("there is no limit")).collect()
    }

    /// The payloads of a stream, without `[DONE]`.
    fn payloads(stream: Bytes) -> Vec<Value> {
        let payloads = frames(stream).into_iter();
        payloads
            .filter_map(|frame| serde_json::from_slice(&payload(&frame)?).ok())
            .collect()
    }

    fn record(endpoint: Endpoint, frames: &[Bytes]) -> Answer {
        let mut recorder = Recorder::new(endpoint);
        for frame in frames {
            recorder.push(frame);
        }
        recorder.finish().expect("it is whole")
    }

    /// Frames of a chat, each of which names any of these tool calls.
    fn chat_frames(pieces: &[(String, Option<&str>)]) -> Vec<Bytes> {
        let mut chunks: Vec<_> = pieces
            .iter()
            .enumerate()
            .map(|(index, (content, tool))| {
                let calls =
                    tool.map(|id| json!([{"index": index, "id": id, "function": {"name": "f"}}]));
                json!({"delta": {"content": content, "tool_calls": calls}, "x": content})
            })
            .map(|choice| json!({"choices": [choice], "created": 1, "id": "1", "model": "1"}))
            .collect();
        let last = json!({"delta": {}, "finish_reason": "stop"});
        chunks.push(json!({"id": "1", "created": 1, "choices": [last]}));
        chunks.push(json!({"id": "1", "choices": [], "usage": {"prompt_tokens": 7}}));
        let frames = chunks.iter().map(|chunk| frame(Api::OpenAi, chunk));
        let end = Bytes::from_static(openai::STREAM_END.as_bytes());
        frames.chain([end]).collect()
    }

    fn pieces() -> impl Strategy<Value = Vec<(String, Option<&'static str>)>> {
        let tool = select(&[None, Some("1"), Some("call_a"), Some("call_b"), Some("")][..]);
        vec((".{0,5}", tool), 0..8)
    }

    /// Undoes what a replay replaced, so that it can be compared with the original.
    fn with_ids_of(original: &Value, mut replayed: Value) -> Value {
        for pointer in ["/id", "/created", "/choices/0/delta/tool_calls/0/id"] {
            if let (Some(old), Some(new)) =
                (original.pointer(pointer), replayed.pointer_mut(pointer))
            {
                let is_kept = pointer.contains("tool_calls") && !old.to_string().contains("call_");
                let fresh = !is_kept && *old != "";
                assert_eq!(new != old, fresh, "{pointer} of {original}");
                *new = old.clone();
            }
        }
        replayed
    }

    proptest! {
        #[test]
        fn a_stream_is_replayed_as_it_came(pieces in pieces()) {
            let recorded = chat_frames(&pieces);
            let answer = record(Endpoint::ChatCompletions, &recorded);
            let fresh = Fresh::new();
            let replayed = answer.stream(&fresh, true).expect("chat streams");
            let replayed = frames(replayed);
            prop_assert_eq!(replayed.len(), recorded.len());
            for (old, new) in recorded.iter().zip(&replayed) {
                let payload = |frame| payload(frame).expect("each frame has one").into_owned();
                if let Ok(original) = serde_json::from_slice(&payload(old)) {
                    let same = with_ids_of(&original, parsed(&payload(new)));
                    prop_assert_eq!(&frame(Api::OpenAi, &same), old);
                }
            }
            let again = record(Endpoint::ChatCompletions, &replayed);
            prop_assert_eq!(again.document(&fresh), answer.document(&fresh));
            let without = frames(answer.stream(&fresh, false).expect("chat streams"));
            prop_assert_eq!(&without[..recorded.len() - 2], &replayed[..recorded.len() - 2]);
            prop_assert_eq!(without.last(), replayed.last());
            prop_assert_eq!(without.len(), recorded.len() - 1);
        }

        #[test]
        fn ids_are_fresh_and_agree_with_each_other(pieces in pieces()) {
            let answer = record(Endpoint::ChatCompletions, &chat_frames(&pieces));
            let fresh = Fresh::new();
            let document = parsed(&answer.document(&fresh));
            let chunks = payloads(answer.stream(&fresh, true).expect("chat streams"));
            for chunk in &chunks {
                prop_assert_eq!(&chunk["id"], &document["id"]);
            }
            let calls = |chunk: &Value| chunk.pointer("/choices/0/delta/tool_calls/0/id").cloned();
            let streamed: Vec<_> = chunks.iter().filter_map(calls).collect();
            let whole = document.pointer("/choices/0/message/tool_calls");
            let whole = whole.and_then(Value::as_array).into_iter().flatten();
            prop_assert_eq!(&streamed, &whole.map(|call| call["id"].clone()).collect::<Vec<_>>());
            let named = pieces.iter().filter_map(|(_, tool)| *tool);
            for (old, new) in named.clone().zip(&streamed) {
                for (other, other_new) in named.clone().zip(&streamed) {
                    prop_assert_eq!(old == other, new == other_new);
                }
            }
        }
    }

    #[test]
    fn a_document_is_kept_to_the_letter() {
        let text = r#"{ "object":"chat.completion", "id" : "1","x":[1.0],
            "choices":[{"message":{"content":"1","role":"assistant"},"finish_reason":"stop"}]}"#;
        let answer = Answer::from_document(Endpoint::ChatCompletions, text.as_bytes());
        let replayed = answer.expect("it is whole").document(&Fresh::new());
        let replayed = str::from_utf8(&replayed).expect("it is text");
        let id = parsed(replayed.as_bytes())["id"].take();
        let id = id.as_str().expect("it is text");
        assert_eq!(id.strip_prefix("chatcmpl-").map(str::len), Some(32));
        assert_eq!(replayed.replace(id, "1"), text);
    }

    #[test]
    fn a_document_is_replayed_as_a_stream_that_says_the_same() {
        let block = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}});
        let document = json!({
            "id": "msg_1", "type": "message", "content": [{"type": "text", "text": "hi"}, block],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 4},
        });
        let answer = Answer::from_document(Endpoint::Messages, document.to_string().as_bytes());
        let answer = answer.expect("it is whole");
        let fresh = Fresh::new();
        let stream = answer.stream(&fresh, true).expect("messages stream");
        let again = record(Endpoint::Messages, &frames(stream));
        assert_eq!(
            parsed(&again.document(&fresh)),
            parsed(&answer.document(&fresh))
        );
        let usage = Usage {
            prompt_tokens: 3,
            cached_tokens: 2,
            completion_tokens: 4,
        };
        assert_eq!((answer.usage(), again.usage()), (usage, usage));
    }

    #[test]
    fn events_are_replayed_as_they_came_without_pings() {
        let recorded = concat!(
            "event: message_start\r\n",
            "data:{\"type\":\"message_start\",\"message\":",
            "{\"id\":\"msg_1\",\"content\":[]}}\r\n\r\n",
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
            "data: {\"type\": \"content_block_start\", \"index\": 0, \"content_block\": ",
            "{\"type\": \"tool_use\", \"id\": \"toolu_1\"}}\n\n",
            "data: {\"type\": \"content_block_stop\", \"index\": 0}\n\n",
            "data: {\"type\": \"message_delta\", \"delta\": {\"stop_reason\": \"tool_use\"}}\n\n",
            "event: message_stop\ndata: {\"type\": \"message_stop\"}\n\n",
        );
        let answer = record(Endpoint::Messages, &frames(recorded.into()));
        let fresh = Fresh::new();
        let document = parsed(&answer.document(&fresh));
        let message = document["id"].as_str().expect("it has an id");
        let tool = document["content"][0]["id"].as_str().expect("it has an id");
        let expected = recorded
            .replace("event: ping\ndata: {\"type\": \"ping\"}\n\n", "")
            .replace("msg_1", message)
            .replace("toolu_1", tool);
        let replayed = answer.stream(&fresh, false).expect("messages stream");
        assert_eq!(replayed, expected);
    }

    #[test]
    fn references_follow_the_tool_calls_of_their_answer() {
        let document = json!({"id": "m", "stop_reason": "end_turn", "content": [
            {"type": "server_tool_use", "id": "srvtoolu_1", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_0", "content": []},
        ]});
        let answer = Answer::from_document(Endpoint::Messages, document.to_string().as_bytes());
        let replayed = parsed(&answer.expect("it is whole").document(&Fresh::new()));
        let content = &replayed["content"];
        assert_ne!(content[0]["id"], "srvtoolu_1");
        assert_eq!(content[0]["id"], content[1]["tool_use_id"]);
        assert_eq!(content[2]["tool_use_id"], "srvtoolu_0");
    }

    #[test]
    fn what_does_not_stream_is_a_document_only() {
        let text = br#"{"data": [{"embedding": [0.123456789012345678]}]}"#;
        let answer = Answer::from_document(Endpoint::Embeddings, text).expect("it is whole");
        assert_eq!(answer.document(&Fresh::new()), &text[..]);
        assert_eq!(answer.stream(&Fresh::new(), true), None);
    }

    #[test]
    fn absurd_token_counts_are_cut_to_the_largest() {
        let usage = json!({
            "input_tokens": u64::MAX, "cache_creation_input_tokens": u64::MAX,
            "cache_read_input_tokens": 7, "output_tokens": u64::MAX,
        });
        let document = json!({"content": [], "stop_reason": "end_turn", "usage": usage});
        let answer = Answer::from_document(Endpoint::Messages, document.to_string().as_bytes());
        let usage = Usage {
            prompt_tokens: u32::MAX,
            cached_tokens: 7,
            completion_tokens: u32::MAX,
        };
        assert_eq!(answer.expect("it is whole").usage(), usage);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let read = |text: &[u8]| Answer::from_document(Endpoint::Messages, text).err();
        assert_eq!(read(b"<html>"), Some(Incomplete::NotJson));
        assert_eq!(read(b"{}"), Some(Incomplete::NotAnAnswer));
    }

    #[test]
    fn a_long_stream_takes_little_space() {
        let padding = "x".repeat(150);
        let mut pieces = Vec::new();
        for number in 0..2000 {
            let choice = json!({"delta": {"content": format!(" {number}")}});
            let chunk = json!({"id": "1", "created": 1, "model": padding, "choices": [choice]});
            pieces.push(frame(Api::OpenAi, &chunk));
        }
        pieces.extend(chat_frames(&[]));
        let answer = record(Endpoint::ChatCompletions, &pieces);
        let length = answer
            .stream(&Fresh::new(), true)
            .expect("chat streams")
            .len();
        assert!(length > 2000 * 250, "{length}");
        assert!(answer.bytes() < 2000 * 20, "{}", answer.bytes());
    }
}
