//! What a backend is asked: the client's request, in the backend's own terms.

use bytes::Bytes;
use deja_cache::Endpoint;
use deja_wire::{
    Api, BadRequest, ChatRequest, EmbeddingRequest, EncodedRequest, Request, chat_completions,
    completions, embeddings, messages,
};
use serde_json::{Value, json};
use tracing::debug;

use super::{
    Backend, Route, headers,
    upstream::{Forward, Upstream},
};
use crate::{
    decode::{Asked, Call},
    error::Error,
};

/// Bytes of text that make a token, where nobody counts.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens of an answer where the client names no limit and Anthropic's API wants one.
const DEFAULT_MAX_TOKENS: u32 = 8192;

/// What a backend is asked.
#[derive(Clone)]
pub(crate) enum Order {
    /// The engine is to generate.
    Generate(Generate),
    /// The engine is to embed.
    Embed(Embed),
    /// The engine is to count tokens.
    Count(ChatRequest),
    /// An upstream is to answer.
    Forward(Forward),
    /// Nobody has to be asked: this is the answer.
    Known(String),
}

/// A generation, and the form in which it is wanted.
#[derive(Clone)]
pub(crate) struct Generate {
    pub(super) endpoint: Endpoint,
    pub(super) request: ChatRequest,
}

/// What is to be embedded, and the form in which it is wanted.
#[derive(Clone)]
pub(crate) struct Embed {
    pub(super) request: EmbeddingRequest,
    pub(super) encoding: embeddings::Encoding,
}

impl Order {
    /// Reads what the backend is asked, and refuses what it could not honour.
    pub(crate) fn new(route: &Route, call: &Call, asked: &Asked) -> Result<Self, Error> {
        match &route.to.backend {
            Backend::Engine(_) => for_engine(route, call.endpoint, &asked.body),
            Backend::Upstream(upstream) => for_upstream(upstream, route, call, asked),
        }
    }
}

fn for_engine(route: &Route, endpoint: Endpoint, body: &Value) -> Result<Order, Error> {
    let request = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Messages => chat_request(endpoint.api(), body)?,
        Endpoint::Completions => completions::completion_request(body)?,
        Endpoint::CountTokens => return Ok(Order::Count(chat_request(endpoint.api(), body)?)),
        Endpoint::Embeddings => {
            return Ok(Order::Embed(Embed {
                request: embeddings::embedding_request(body)?,
                encoding: embeddings::encoding(body)?,
            }));
        }
        Endpoint::Responses => return Err(unsupported(route, endpoint)),
    };
    Ok(Order::Generate(Generate { endpoint, request }))
}

fn chat_request(api: Api, body: &Value) -> Result<ChatRequest, BadRequest> {
    ChatRequest::from_request(&decoded(api, body)?)
}

/// Decodes a request for an answer to a conversation, which each API has.
fn decoded(api: Api, body: &Value) -> Result<Request, BadRequest> {
    match api {
        Api::OpenAi => chat_completions::decode_request(body),
        Api::Anthropic => messages::decode_request(body),
    }
}

fn for_upstream(
    upstream: &Upstream,
    route: &Route,
    call: &Call,
    asked: &Asked,
) -> Result<Order, Error> {
    let translation = Some(call.api()).filter(|api| *api != upstream.settings().api);
    let (endpoint, body) = match (call.endpoint, translation) {
        (endpoint, None) => (endpoint, upstream.own_body(asked, &route.model)?),
        (Endpoint::Messages | Endpoint::ChatCompletions, Some(client)) => {
            let request = decoded(client, &asked.body)?;
            translated(request, upstream, route)?
        }
        // The other API has no such call.
        (Endpoint::CountTokens, Some(_)) => return Ok(Order::Known(estimate(&asked.body))),
        (
            endpoint @ (Endpoint::Completions | Endpoint::Embeddings | Endpoint::Responses),
            Some(_),
        ) => return Err(unsupported(route, endpoint)),
    };
    Ok(Order::Forward(Forward {
        endpoint,
        query: upstream
            .query(call.query.as_deref())
            .filter(|_| translation.is_none()),
        headers: headers::to_upstream(
            upstream.settings(),
            &call.headers.map,
            translation.is_some(),
        ),
        body,
        answered: call.endpoint,
        translation,
    }))
}

/// The request in the terms of the upstream's API, for the model that the upstream knows.
fn translated(
    mut request: Request,
    upstream: &Upstream,
    route: &Route,
) -> Result<(Endpoint, Bytes), BadRequest> {
    if !route.model.is_empty() {
        request.model = Some(route.model.clone());
    }
    let settings = upstream.settings();
    let (endpoint, encoded) = match settings.api {
        Api::OpenAi => (
            Endpoint::ChatCompletions,
            chat_completions::encode_request(&request, settings.unsupported)?,
        ),
        Api::Anthropic => (
            Endpoint::Messages,
            messages::encode_request(&request, settings.unsupported, DEFAULT_MAX_TOKENS)?,
        ),
    };
    let EncodedRequest { body, dropped } = encoded;
    if !dropped.is_empty() {
        debug!(backend = route.to.name, ?dropped, "left out of the request");
    }
    Ok((endpoint, body.to_string().into()))
}

/// A guess at the number of tokens, from the length of all texts and schemas.
fn estimate(body: &Value) -> String {
    let read = ["system", "messages", "tools"];
    let bytes: usize = read
        .iter()
        .filter_map(|field| body.get(field))
        .map(text_bytes)
        .sum();
    json!({ "input_tokens": bytes.div_ceil(BYTES_PER_TOKEN) }).to_string()
}

/// Bytes of all strings in a value, the names of fields included.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text_bytes).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| name.len() + text_bytes(field))
            .sum(),
        _ => 0,
    }
}

fn unsupported(route: &Route, endpoint: Endpoint) -> Error {
    Error::Unsupported {
        backend: route.to.name.clone(),
        path: endpoint.path(),
    }
}
