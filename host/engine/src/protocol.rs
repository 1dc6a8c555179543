//! What the engine and its worker process say to each other.
//!
//! A frame is its length in bytes (32 bits, little-endian) and a JSON document. The worker speaks
//! first, with [`FromWorker::Hello`], whose shape never changes; all others may with [`VERSION`].

use std::{io, path::PathBuf};

use bytes::Bytes;
use deja_wire::{ChatRequest, Embedding, EmbeddingRequest, Event};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::codec::LengthDelimitedCodec;

use crate::{EngineError, Limits};

/// The version of every message but the hello.
pub(crate) const VERSION: u32 = 5;

/// No frame is longer: it is far above any context, and bounds what a broken peer can cost.
pub(crate) const MAX_FRAME_BYTES: usize = 64 << 20;

/// Tells one request from another, in the life of an engine.
pub(crate) type RequestId = u64;

/// From the engine to its worker. A closed socket is the wish to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToWorker {
    /// Loads the model; comes first, and once.
    Load {
        /// A file or a folder.
        model: PathBuf,
        /// In tokens, if lower than the model's own.
        context_length: Option<u32>,
        /// What the worker may use.
        limits: Limits,
    },
    /// Answers a request, together with those that came before it.
    Generate { id: RequestId, request: ChatRequest },
    /// Counts the tokens of a request's prompt, even while other requests are answered.
    CountTokens { id: RequestId, request: ChatRequest },
    /// Embeds inputs, together with the answers that are in the making.
    Embed {
        id: RequestId,
        request: EmbeddingRequest,
    },
    /// Forgets a request; there is no reply.
    Cancel { id: RequestId },
}

/// From the worker to its engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromWorker {
    /// The worker runs.
    Hello { version: u32 },
    /// The model is loaded, and takes so many bytes of memory.
    Loaded { bytes: u64 },
    /// The model cannot be loaded; the worker ends.
    LoadFailed { error: EngineError },
    /// One step of an answer.
    Event { id: RequestId, event: Event },
    /// The next of a request's embeddings, in the order of its inputs.
    Embedding { id: RequestId, embedding: Embedding },
    /// How many tokens a request's prompt has.
    TokenCount { id: RequestId, tokens: u32 },
    /// The answer or the embeddings ended early, or the tokens cannot be counted.
    Failed { id: RequestId, error: EngineError },
}

/// Splits a stream of bytes into frames, and refuses those that are too long.
pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .little_endian()
        .length_field_type::<u32>()
        .max_frame_length(MAX_FRAME_BYTES)
        .new_codec()
}

/// The content of a frame that holds this message.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Bytes> {
    Ok(serde_json::to_vec(message)?.into())
}

/// The message that a frame holds.
pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(frame)?)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use deja_wire::{
        Candidate, Conversation, Delta, EmbeddingInput, FinishReason, Format, Message, Prompt,
        Role, Sampling, TokenLogprob, Tool, ToolCall, ToolChoice, Usage,
    };
    use proptest::{
        collection::{btree_map, vec},
        option,
        prelude::*,
    };
    use serde_json::json;
    use tokio_util::codec::{Decoder, Encoder};

    use super::*;

    fn message() -> impl Strategy<Value = Message> {
        let call = any::<(String, String, String)>();
        (any::<String>(), any::<bool>(), option::of(call)).prop_map(|(content, user, call)| {
            let role = if user { Role::User } else { Role::Assistant };
            let mut message = Message::new(role, content);
            message
                .tool_calls
                .extend(call.map(|(id, name, arguments)| ToolCall {
                    id,
                    name,
                    arguments,
                }));
            message
        })
    }

    fn prompt() -> impl Strategy<Value = Prompt> {
        let tool = any::<(String, Option<String>, bool)>();
        let tool = tool.prop_map(|(name, description, strict)| Tool {
            name,
            description,
            parameters: json!({"type": "object"}),
            strict,
        });
        let conversation = (vec(message(), 1..4), vec(tool, 0..3));
        prop_oneof![
            conversation.prop_map(|(messages, tools)| {
                Prompt::Conversation(Conversation {
                    tools,
                    tool_choice: ToolChoice::Function("f".to_owned()),
                    ..messages.into()
                })
            }),
            any::<String>().prop_map(Prompt::Text),
        ]
    }

    fn sampling() -> impl Strategy<Value = Sampling> {
        let bias = btree_map(any::<u32>(), -100f32..=100.0, 0..3);
        (0f32..2.0, 0f32..=1.0, any::<Option<u64>>(), bias).prop_map(
            |(temperature, top_p, seed, logit_bias)| Sampling {
                temperature,
                top_p,
                seed,
                logit_bias,
                ..Sampling::default()
            },
        )
    }

    fn request() -> impl Strategy<Value = ChatRequest> {
        let limits = any::<(Option<u32>, Option<u8>)>();
        let stop = vec(any::<String>(), 0..3);
        (any::<Option<String>>(), prompt(), sampling(), limits, stop).prop_map(
            |(model, prompt, sampling, (max_tokens, logprobs), stop)| ChatRequest {
                model,
                sampling,
                format: Format::JsonSchema(json!({"type": "array"})),
                logprobs,
                max_tokens,
                stop,
                ..ChatRequest::new(prompt)
            },
        )
    }

    fn embedding_request() -> impl Strategy<Value = EmbeddingRequest> {
        let input = prop_oneof![
            any::<String>().prop_map(EmbeddingInput::Text),
            vec(any::<u32>(), 1..4).prop_map(EmbeddingInput::Tokens),
        ];
        let others = any::<(Option<String>, Option<u32>)>();
        (vec(input, 1..4), others).prop_map(|(inputs, (model, dimensions))| EmbeddingRequest {
            model,
            inputs,
            dimensions,
        })
    }

    fn to_worker() -> impl Strategy<Value = ToWorker> {
        prop_oneof![
            ("[a-z/]{0,20}", any::<Option<u32>>()).prop_map(|(model, context_length)| {
                ToWorker::Load {
                    model: model.into(),
                    context_length,
                    limits: Limits::default(),
                }
            }),
            (any::<u64>(), request()).prop_map(|(id, request)| ToWorker::Generate { id, request }),
            (any::<u64>(), request())
                .prop_map(|(id, request)| ToWorker::CountTokens { id, request }),
            (any::<u64>(), embedding_request())
                .prop_map(|(id, request)| ToWorker::Embed { id, request }),
            any::<u64>().prop_map(|id| ToWorker::Cancel { id }),
        ]
    }

    fn event() -> impl Strategy<Value = Event> {
        let token =
            (vec(any::<u8>(), 1..4), option::of(-9f32..=0.0)).prop_map(|(bytes, logprob)| {
                TokenLogprob {
                    token: Candidate { bytes, logprob },
                    top: Vec::new(),
                }
            });
        let delta = prop_oneof![
            (any::<String>(), vec(token, 0..3))
                .prop_map(|(text, logprobs)| Delta::Text { text, logprobs }),
            any::<String>().prop_map(Delta::Reasoning),
            any::<(u32, String, String)>().prop_map(|(index, id, name)| Delta::ToolCall {
                index,
                id,
                name
            }),
            any::<(u32, String)>()
                .prop_map(|(index, arguments)| Delta::ToolArguments { index, arguments }),
        ];
        let finish = prop_oneof![
            Just(FinishReason::ToolCalls),
            any::<String>().prop_map(FinishReason::StopString),
        ];
        prop_oneof![
            any::<(u32, u32)>().prop_map(|(processed, total)| Event::Progress { processed, total }),
            (any::<u32>(), delta).prop_map(|(choice, delta)| Event::Delta { choice, delta }),
            (any::<u32>(), finish).prop_map(|(choice, finish)| Event::Finished { choice, finish }),
            any::<(u32, u32)>().prop_map(|(prompt_tokens, completion_tokens)| Event::End {
                usage: Usage {
                    prompt_tokens,
                    cached_tokens: 0,
                    completion_tokens,
                },
            }),
        ]
    }

    fn from_worker() -> impl Strategy<Value = FromWorker> {
        prop_oneof![
            any::<u32>().prop_map(|version| FromWorker::Hello { version }),
            (any::<u64>(), event()).prop_map(|(id, event)| FromWorker::Event { id, event }),
            (any::<u64>(), vec(-1f32..=1.0, 1..4), any::<u32>()).prop_map(
                |(id, vector, tokens)| FromWorker::Embedding {
                    id,
                    embedding: Embedding { vector, tokens },
                }
            ),
            (any::<u64>(), any::<u32>())
                .prop_map(|(id, tokens)| FromWorker::TokenCount { id, tokens }),
            (any::<u64>(), any::<String>()).prop_map(|(id, reason)| FromWorker::Failed {
                id,
                error: EngineError::Generation { reason },
            }),
        ]
    }

    /// Sends messages as one stream of bytes that arrives in pieces of this length.
    fn through_a_stream<T: Serialize + DeserializeOwned>(messages: &[T], piece: usize) -> Vec<T> {
        let mut stream = BytesMut::new();
        for message in messages {
            codec()
                .encode(encode(message).expect("encodes"), &mut stream)
                .expect("fits");
        }
        let (mut codec, mut arrived, mut received) = (codec(), BytesMut::new(), Vec::new());
        for bytes in stream.chunks(piece) {
            arrived.extend_from_slice(bytes);
            while let Some(frame) = codec.decode(&mut arrived).expect("is sound") {
                received.push(decode(&frame).expect("decodes"));
            }
        }
        received
    }

    proptest! {
        #[test]
        fn messages_survive_the_stream(
            requests in vec(to_worker(), 0..4),
            replies in vec(from_worker(), 0..4),
            piece in 1usize..64,
        ) {
            prop_assert_eq!(through_a_stream(&requests, piece), requests);
            prop_assert_eq!(through_a_stream(&replies, piece), replies);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..256)) {
            let mut arrived = BytesMut::from(&bytes[..]);
            while let Ok(Some(frame)) = codec().decode(&mut arrived) {
                let _ = decode::<ToWorker>(&frame);
            }
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let too_long = u32::try_from(MAX_FRAME_BYTES + 1).expect("fits");
        let mut arrived = BytesMut::from(&too_long.to_le_bytes()[..]);
        assert!(codec().decode(&mut arrived).is_err());
        let frame = Bytes::from(vec![0; MAX_FRAME_BYTES + 1]);
        assert!(codec().encode(frame, &mut BytesMut::new()).is_err());
    }
}
