//! From the frames of a live stream to an answer.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    Answer, Api, Endpoint, FrameKind, Incomplete,
    fold::Fold,
    frame, openai, payload,
    slot::{Ids, Piece},
    stream::{StreamBuilder, StreamTemplate},
};

/// Makes an answer of a stream while it passes. Each frame is taken in as it comes, so that the
/// stream's end is not held up.
#[derive(Debug)]
pub struct Recorder {
    endpoint: Endpoint,
    fold: Fold,
    ids: Ids,
    stream: StreamBuilder,
    ended: bool,
    /// Why there will be no answer.
    fault: Option<Incomplete>,
}

/// What a stream left that makes no answer.
#[derive(Debug)]
pub struct Fragment {
    /// What is missing or wrong.
    pub reason: Incomplete,
    /// The document that says the same, where a client has a use for it.
    pub document: Option<Value>,
}

impl From<Incomplete> for Fragment {
    fn from(reason: Incomplete) -> Self {
        Self {
            reason,
            document: None,
        }
    }
}

impl Recorder {
    /// A recorder for a stream of this endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            fold: Fold::new(endpoint),
            ids: Ids::new(endpoint),
            stream: StreamBuilder::default(),
            ended: false,
            fault: None,
        }
    }

    /// Takes in the next frame, and says what it is to the answer.
    pub fn push(&mut self, frame: &[u8]) -> FrameKind {
        let (kind, piece) = self.read(frame).unwrap_or((FrameKind::Broken, None));
        match kind {
            FrameKind::Error => self.fail(Incomplete::ErrorEvent),
            FrameKind::Broken => self.fail(Incomplete::Broken),
            FrameKind::End => self.ended = true,
            FrameKind::Content | FrameKind::Usage | FrameKind::Quiet => {}
        }
        if let Some(piece) = piece.filter(|_| self.fault.is_none()) {
            self.stream.push(piece, kind == FrameKind::Usage);
        }
        kind
    }

    /// The answer, if it is whole.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub fn finish(self) -> Result<Answer, Fragment> {
        match self.fault {
            Some(fault) => return Err(fault.into()),
            None if !self.ended => return Err(Incomplete::NoEnd.into()),
            None => {}
        }
        let document = self.fold.finish()?;
        let answer = Answer::recorded(self.endpoint, &document, self.stream.finish());
        answer.map_err(|reason| Fragment {
            reason,
            document: reason.leaves_a_document().then_some(document),
        })
    }

    /// The stream that says the same as this document.
    pub(crate) fn unfolded(endpoint: Endpoint, document: &Value) -> StreamTemplate {
        let mut recorder = Self::new(endpoint);
        for payload in crate::unfold(endpoint, document) {
            recorder.push(&frame(endpoint.api(), &payload));
        }
        if let Some(end) = endpoint.api().stream_end().filter(|_| !recorder.ended) {
            recorder.push(end.as_bytes());
        }
        recorder.stream.finish()
    }

    fn fail(&mut self, fault: Incomplete) {
        self.fault.get_or_insert(fault);
    }

    /// What a frame is, and what is to be kept of it; none if it is broken.
    fn read(&mut self, text: &[u8]) -> Option<(FrameKind, Option<Piece>)> {
        str::from_utf8(text).ok()?;
        let Some(payload) = payload(text) else {
            return Some((FrameKind::Quiet, None));
        };
        let api = self.endpoint.api();
        if *payload == *openai::DONE {
            return self.done(text);
        }
        let value: Value = serde_json::from_slice(&payload).ok()?;
        let Cow::Borrowed(json) = payload else {
            // Slots can lie in one line only.
            return self.read(&frame(api, &value));
        };
        let kind = self.fold.push(value);
        match kind {
            FrameKind::Quiet | FrameKind::Error | FrameKind::Broken => Some((kind, None)),
            FrameKind::Content | FrameKind::Usage | FrameKind::End => {
                let piece = self.ids.piece(text, json).ok()?;
                (!self.ended).then_some((kind, Some(piece)))
            }
        }
    }

    /// What `[DONE]` is, and what is to be kept of it. Some servers end streams of the Responses
    /// API with it, too, where it says nothing new.
    fn done(&self, text: &[u8]) -> Option<(FrameKind, Option<Piece>)> {
        match self.endpoint.api() {
            Api::OpenAi if !self.ended => Some((FrameKind::End, Some(Piece::plain(text)))),
            Api::Responses if self.ended => Some((FrameKind::Quiet, None)),
            Api::OpenAi | Api::Responses | Api::Anthropic => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Fresh, messages};

    fn chunk(content: &str, finish_reason: Option<&str>) -> String {
        let choice = json!({"delta": {"content": content}, "finish_reason": finish_reason});
        let chunk = json!({"id": "1", "created": 1, "choices": [choice]});
        format!("data: {chunk}\n\n")
    }

    fn record(endpoint: Endpoint, frames: &[&str]) -> (Vec<FrameKind>, Result<Answer, Fragment>) {
        let mut recorder = Recorder::new(endpoint);
        let kinds = frames
            .iter()
            .map(|frame| recorder.push(frame.as_bytes()))
            .collect();
        (kinds, recorder.finish())
    }

    fn fault(frames: &[&str]) -> Option<Incomplete> {
        let (_, answer) = record(Endpoint::ChatCompletions, frames);
        answer.err().map(|fragment| fragment.reason)
    }

    #[test]
    fn only_whole_streams_become_answers() {
        let (hi, last) = (chunk("hi", None), chunk("", Some("stop")));
        let end = openai::STREAM_END;
        let error = openai::error_frame(r#"{"error": {}}"#);
        let error = str::from_utf8(&error).expect("it is text");
        assert_eq!(fault(&[&hi, &last, end]), None);
        assert_eq!(fault(&[&hi, &last]), Some(Incomplete::NoEnd));
        assert_eq!(fault(&[&hi, end]), Some(Incomplete::NoFinishReason));
        assert_eq!(fault(&[&hi, error]), Some(Incomplete::ErrorEvent));
        assert_eq!(fault(&[&hi, error, end]), Some(Incomplete::ErrorEvent));
        assert_eq!(fault(&[&hi, &last, end, &hi]), Some(Incomplete::Broken));
        assert_eq!(fault(&[&hi, &last, end, end]), Some(Incomplete::Broken));
        assert_eq!(
            fault(&["data: {\n\n", &last, end]),
            Some(Incomplete::Broken)
        );
        assert_eq!(fault(&[end]), Some(Incomplete::NotAnAnswer));
        assert_eq!(fault(&[]), Some(Incomplete::NoEnd));
    }

    #[test]
    fn frames_are_told_apart() {
        let (hi, last) = (chunk("hi", None), chunk("", Some("stop")));
        let usage = "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 1}}\n\n";
        let frames = [
            &hi,
            ": keep-alive\n\n",
            &last,
            usage,
            openai::STREAM_END,
            "\n",
        ];
        let expected = [
            FrameKind::Content,
            FrameKind::Quiet,
            FrameKind::Content,
            FrameKind::Usage,
            FrameKind::End,
            FrameKind::Quiet,
        ];
        assert_eq!(record(Endpoint::ChatCompletions, &frames).0, expected);
        let (kinds, _) = record(Endpoint::Messages, &[messages::SIGN_OF_LIFE, "data: 1\n\n"]);
        assert_eq!(kinds, [FrameKind::Quiet, FrameKind::Broken]);
    }

    #[test]
    fn what_is_not_text_is_broken() {
        let mut recorder = Recorder::new(Endpoint::ChatCompletions);
        assert_eq!(recorder.push(b": \xFF\n\n"), FrameKind::Broken);
        let fragment = recorder.finish().expect_err("it is no answer");
        assert_eq!(fragment.reason, Incomplete::Broken);
    }

    #[test]
    fn a_cut_call_leaves_a_document() {
        let function = json!({"name": "f", "arguments": "{\"a\": \"b"});
        let delta = json!({"content": "hi", "tool_calls": [{"index": 0, "function": function}]});
        let choice = json!({"delta": delta, "finish_reason": "length"});
        let chunk = format!("data: {}\n\n", json!({"choices": [choice]}));
        let (_, answer) = record(Endpoint::ChatCompletions, &[&chunk, openai::STREAM_END]);
        let Fragment { reason, document } = answer.expect_err("it is no answer");
        assert_eq!(reason, Incomplete::CutToolCall);
        let document = document.expect("the rest is good");
        let message = &document["choices"][0]["message"];
        assert_eq!(message["content"], "hi");
        assert_eq!(message["tool_calls"][0]["function"], function);
    }

    #[test]
    fn a_payload_in_several_lines_is_kept_in_one() {
        let choice = r#"{"delta": {"content": "hi"}, "finish_reason": "stop"}"#;
        let chunk = format!("data: {{\"choices\":\ndata: [{choice}]}}\n\n");
        let (_, answer) = record(Endpoint::ChatCompletions, &[&chunk, openai::STREAM_END]);
        let stream = answer.expect("it is whole").stream(&Fresh::new(), false);
        let expected = format!(
            "{}{}",
            r#"data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}"#,
            "\n\ndata: [DONE]\n\n"
        );
        assert_eq!(stream.expect("chat streams"), expected);
    }
}
