//! The engine as a backend: its events become `OpenAI`'s frames, and from those the client's.

use bytes::Bytes;
use deja_engine::{Engine, Generation};
use deja_wire::{
    ChatRequest, Endpoint, chat_completions::ChatStream, completions::CompletionStream, embeddings,
};
use hyper::HeaderMap;
use serde_json::json;

use super::{
    AnswerLimits, Content, FetchError, Source,
    frames::{Frames, Translation},
    order::{Embed, Generate},
};

/// Asks for an answer. The engine streams always; who wants the whole waits for the end.
pub(super) fn generate(engine: &Engine, order: Generate, limits: &AnswerLimits) -> Source {
    let Generate {
        endpoint,
        request,
        translation,
    } = order;
    let model = request.model.clone();
    let model = model.unwrap_or_else(|| engine.name().to_owned());
    let events = EngineEvents {
        generation: engine.generate(request),
        reply: if endpoint == Endpoint::Completions {
            Reply::Completion(CompletionStream::new(&model, true))
        } else {
            Reply::Chat(ChatStream::new(&model, true))
        },
    };
    let frames = Frames::of_engine(events, Translation::of(translation), limits.clone());
    Source {
        headers: HeaderMap::new(),
        content: Content::Stream(Box::new(frames)),
    }
}

/// Embeds texts.
pub(super) async fn embed(
    engine: &Engine,
    order: Embed,
    limits: &AnswerLimits,
) -> Result<Source, FetchError> {
    let Embed { request, encoding } = order;
    let model = request.model.clone();
    let model = model.unwrap_or_else(|| engine.name().to_owned());
    let embeddings = engine.embed(request).await?;
    let document = embeddings::embeddings(&model, &embeddings, encoding);
    let limit = limits.bytes;
    if document.len() > limit {
        return Err(FetchError::TooLarge { limit });
    }
    limits.take(document.len())?;
    Ok(Source::document(document))
}

/// Counts a prompt's tokens, in the shape of Anthropic's `count_tokens`.
pub(super) async fn count(engine: &Engine, request: ChatRequest) -> Result<Source, FetchError> {
    let tokens = engine.count_tokens(request).await?;
    Ok(Source::document(
        json!({ "input_tokens": tokens }).to_string(),
    ))
}

/// A generation, written as `OpenAI` streams it.
pub(super) struct EngineEvents {
    generation: Generation,
    reply: Reply,
}

/// The form of the stream.
enum Reply {
    Chat(ChatStream),
    Completion(CompletionStream),
}

impl EngineEvents {
    /// The next bytes of the stream.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
        let event = match self.generation.next().await? {
            Ok(event) => event,
            Err(error) => return Some(Err(error.into())),
        };
        let frames = match &mut self.reply {
            Reply::Chat(reply) => reply.frames(&event),
            Reply::Completion(reply) => reply.frames(&event),
        };
        Some(Ok(frames.into()))
    }
}
