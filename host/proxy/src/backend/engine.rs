//! The engine as a backend: its events are encoded for the client, once.

use deja_engine::Engine;
use deja_wire::{ChatRequest, embeddings};
use hyper::HeaderMap;
use serde_json::json;

use super::{
    AnswerLimits, Content, FetchError, Source,
    frames::Frames,
    order::{Embed, Generate},
};

/// Asks for an answer. The engine streams always; who wants the whole waits for the end.
pub(super) fn generate(engine: &Engine, order: Generate, limits: &AnswerLimits) -> Source {
    let Generate { request, answer } = order;
    let model = request.model.clone();
    let model = model.unwrap_or_else(|| engine.name().to_owned());
    let generation = engine.generate(request);
    let frames = Frames::of_engine(generation, answer.recorder(&model), limits.clone());
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
