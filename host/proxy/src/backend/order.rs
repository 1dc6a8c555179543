//! What a backend is asked: the client's request, in the backend's own terms.

use std::sync::Arc;

use bytes::Bytes;
use deja_cache::Endpoint;
use deja_wire::{
    Api, BadRequest, ChatRequest, EmbeddingRequest, EncodedRequest, EventRecorder, Request,
    chat_completions, completions, embeddings, messages, responses,
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
    pub(super) request: ChatRequest,
    pub(super) answer: AnswerForm,
}

/// The form in which the client wants an answer that is encoded for it.
#[derive(Clone)]
pub(crate) struct AnswerForm {
    /// What the client called for.
    pub(super) endpoint: Endpoint,
    /// The namespaces among the request's tools, as a body that offers nothing else.
    namespaces: Option<Arc<Value>>,
}

impl AnswerForm {
    fn new(endpoint: Endpoint, body: &Value) -> Self {
        let tools = body["tools"].as_array().into_iter().flatten();
        let namespaces: Vec<_> = tools
            .filter(|tool| tool["type"] == "namespace")
            .cloned()
            .collect();
        Self {
            endpoint,
            namespaces: (!namespaces.is_empty()).then(|| Arc::new(json!({"tools": namespaces}))),
        }
    }

    /// Returns what encodes and records the answer. `model` is the model's name where no event
    /// gives one.
    pub(super) fn recorder(&self, model: &str) -> Box<EventRecorder> {
        let recorder = EventRecorder::new(self.endpoint, model);
        Box::new(match &self.namespaces {
            Some(body) => recorder.answering(body),
            None => recorder,
        })
    }
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
            Backend::Engine(_) => for_engine(call.endpoint, &asked.body),
            Backend::Upstream(upstream) => for_upstream(upstream, route, call, asked),
        }
    }
}

fn for_engine(endpoint: Endpoint, body: &Value) -> Result<Order, Error> {
    let request = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::Responses => {
            chat_request(endpoint.api(), body)?
        }
        Endpoint::Completions => completions::completion_request(body)?,
        Endpoint::CountTokens => return Ok(Order::Count(chat_request(endpoint.api(), body)?)),
        Endpoint::Embeddings => {
            return Ok(Order::Embed(Embed {
                request: embeddings::embedding_request(body)?,
                encoding: embeddings::encoding(body)?,
            }));
        }
    };
    Ok(Order::Generate(Generate {
        request,
        answer: AnswerForm::new(endpoint, body),
    }))
}

fn chat_request(api: Api, body: &Value) -> Result<ChatRequest, BadRequest> {
    ChatRequest::from_request(&decoded(api, body)?)
}

/// Decodes a request for an answer to a conversation, which each API has.
fn decoded(api: Api, body: &Value) -> Result<Request, BadRequest> {
    match api {
        Api::OpenAi => chat_completions::decode_request(body),
        Api::Responses => responses::decode_request(body),
        Api::Anthropic => messages::decode_request(body),
    }
}

fn for_upstream(
    upstream: &Upstream,
    route: &Route,
    call: &Call,
    asked: &Asked,
) -> Result<Order, Error> {
    let spoken = upstream.spoken(call.endpoint);
    if call.endpoint == Endpoint::CountTokens && spoken != call.api() {
        // No other API has such a call.
        return Ok(Order::Known(estimate(&asked.body)));
    }
    let mut forward = forward(upstream, route, call, asked, spoken)?;
    let own = upstream.settings().api;
    if spoken != own && upstream.has_responses().is_none() {
        // Without the endpoint it is asked in its own API. What that has no form for is not.
        forward.fallback = self::forward(upstream, route, call, asked, own)
            .ok()
            .map(Box::new);
    }
    Ok(Order::Forward(forward))
}

/// Returns the request to an upstream that is asked in this API.
fn forward(
    upstream: &Upstream,
    route: &Route,
    call: &Call,
    asked: &Asked,
    spoken: Api,
) -> Result<Forward, Error> {
    let is_translated = spoken != call.api();
    let (endpoint, body) = match call.endpoint {
        endpoint if !is_translated => (endpoint, upstream.own_body(endpoint, asked, &route.model)?),
        Endpoint::Messages | Endpoint::ChatCompletions | Endpoint::Responses => {
            let request = decoded(call.api(), &asked.body)?;
            translated(request, spoken, upstream, route)?
        }
        endpoint => return Err(unsupported(route, endpoint)),
    };
    let query = upstream.query(call.query.as_deref());
    Ok(Forward {
        endpoint,
        query: query.filter(|_| !is_translated),
        headers: headers::to_upstream(upstream.settings(), &call.headers.map, is_translated),
        body,
        answer: AnswerForm::new(call.endpoint, &asked.body),
        decoded: is_translated.then_some(spoken),
        fallback: None,
    })
}

/// Returns the request in the terms of an API, for the model that the upstream knows.
fn translated(
    mut request: Request,
    spoken: Api,
    upstream: &Upstream,
    route: &Route,
) -> Result<(Endpoint, Bytes), BadRequest> {
    if !route.model.is_empty() {
        request.model = Some(route.model.clone());
    }
    let unsupported = upstream.settings().unsupported;
    let (endpoint, encoded) = match spoken {
        Api::OpenAi => (
            Endpoint::ChatCompletions,
            chat_completions::encode_request(&request, unsupported)?,
        ),
        Api::Responses => (
            Endpoint::Responses,
            responses::encode_request(&request, unsupported)?,
        ),
        Api::Anthropic => (
            Endpoint::Messages,
            messages::encode_request(&request, unsupported, DEFAULT_MAX_TOKENS)?,
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
