//! A server that speaks one of the APIs.

use std::{
    error::Error as _,
    fmt::Write as _,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use deja_cache::{Endpoint, HeaderPattern};
use deja_trace::query_without_credentials;
use deja_wire::{
    Api, BadRequest, BodyForm, Delivery, EventDecoder, Fragment, Fresh, Recorder, Unsupported,
    body_form, unfold,
};
use hyper::{HeaderMap, StatusCode, http::request::Parts};
use reqwest::{Client, Response, Url, redirect};
use serde_json::{Value, json};
use tracing::debug;

use super::{
    AnswerLimits, Content, FetchError, Refusal, Source,
    frames::{Frames, Recording},
    headers,
    order::AnswerForm,
    splice,
};
use crate::{
    client::client_builder, decode::Asked, error::Error, pass_through::Upload, settings::Secret,
};

/// How an upstream is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Its name, for people.
    pub name: String,
    /// The API that it speaks.
    pub api: Api,
    /// What the API's own SDK takes as its base URL.
    pub url: Url,
    /// The key that it is shown; without one the client's own.
    pub api_key: Option<Secret>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long it may be silent.
    pub idle_timeout: Duration,
    /// How long it may take for a whole answer.
    pub answer_timeout: Duration,
    /// Whether a server of `OpenAI`'s API has the Responses API too; found out if not set.
    pub responses: Option<bool>,
    /// Whether `OpenAI`'s streams are asked for their token counts.
    pub stream_usage: bool,
    /// What happens to parts of a translated request that the API has no form for.
    pub unsupported: Unsupported,
    /// Where the client's own key goes, if `api_key` names none.
    pub client_key: ClientKey,
    /// Whether it is shown the client's key, where `client_key` allows it, when clients list models.
    pub list_models_with_client_key: bool,
    /// Whether requests for what is no endpoint of ours are passed on to it.
    pub pass_through: bool,
    /// Headers of the client that it gets although they may hold credentials and the client's own
    /// do not pass.
    pub forward_headers: Vec<HeaderPattern>,
}

/// Where a client's own key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKey {
    /// To an upstream of the API that the client speaks.
    SameApi,
    /// To an upstream of any API.
    AnyApi,
    /// Nowhere: headers that may hold credentials do not pass.
    Never,
}

/// Why there is no client for an upstream.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a client for the backend {backend}: {source}")]
pub struct UpstreamError {
    /// Its name.
    backend: String,
    source: reqwest::Error,
}

/// A server that speaks one of the APIs.
pub struct Upstream {
    settings: UpstreamSettings,
    client: Client,
    /// Whether it has the Responses API, once that was found out.
    responses: OnceLock<bool>,
}

/// A request to an upstream.
#[derive(Clone)]
pub(crate) struct Forward {
    /// What the upstream is called for.
    pub(super) endpoint: Endpoint,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What the client called for.
    pub(super) answer: AnswerForm,
    /// The API in which the upstream answers, if the client speaks another.
    pub(super) decoded: Option<Api>,
    /// What the upstream is asked if it does not have the endpoint.
    pub(super) fallback: Option<Box<Forward>>,
}

impl UpstreamSettings {
    /// Whether clients of its API show it their own credentials.
    pub(super) fn passes_own_key(&self) -> bool {
        self.api_key.is_none() && self.client_key != ClientKey::Never
    }
}

impl Upstream {
    /// A client with a pool of its own. Nothing is connected yet.
    ///
    /// # Errors
    /// The system has no certificates to check others with.
    pub fn new(settings: UpstreamSettings) -> Result<Self, UpstreamError> {
        let client = client_builder(&settings.url)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.idle_timeout)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .build();
        match client {
            Ok(client) => Ok(Self {
                settings,
                client,
                responses: OnceLock::new(),
            }),
            Err(source) => Err(UpstreamError {
                backend: settings.name,
                source,
            }),
        }
    }

    pub(crate) fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// Returns whether it has the Responses API, if that is known.
    pub(super) fn has_responses(&self) -> Option<bool> {
        match self.settings.api {
            Api::Responses => Some(true),
            Api::Anthropic => Some(false),
            Api::OpenAi => self.settings.responses.or(self.responses.get().copied()),
        }
    }

    /// Returns whether it may have what a client of this API calls for.
    pub(crate) fn may_speak(&self, api: Api) -> bool {
        match api {
            Api::Responses => self.has_responses() != Some(false),
            Api::OpenAi => self.settings.api != Api::Anthropic,
            Api::Anthropic => self.settings.api == Api::Anthropic,
        }
    }

    /// Returns the API in which it is asked for what this endpoint is called for.
    pub(super) fn spoken(&self, endpoint: Endpoint) -> Api {
        match endpoint {
            Endpoint::Responses if self.has_responses() != Some(false) => Api::Responses,
            _ => self.settings.api,
        }
    }

    pub(super) fn identity(&self) -> String {
        format!("{} {}", api_name(self.settings.api), self.settings.url)
    }

    pub(super) fn health(&self) -> Value {
        json!({
            "kind": "upstream",
            "api": api_name(self.settings.api),
            "url": self.settings.url.as_str(),
        })
    }

    /// The client's body as it came, but for the model's name and the wish for token counts.
    pub(super) fn own_body(
        &self,
        endpoint: Endpoint,
        asked: &Asked,
        model: &str,
    ) -> Result<Bytes, Error> {
        let broken = |error: serde_json::Error| {
            Error::BadRequest(BadRequest {
                message: format!("the body cannot be passed on: {error}"),
                field: None,
                code: Some("invalid_json"),
            })
        };
        let body = if model.is_empty() {
            asked.raw.clone()
        } else {
            splice::with_model(&asked.raw, model).map_err(broken)?
        };
        let streams = matches!(asked.delivery, Delivery::Stream { .. });
        let is_chat = self.settings.api == Api::OpenAi && endpoint != Endpoint::Responses;
        if streams && is_chat && self.settings.stream_usage {
            return splice::with_usage(&body).map_err(broken);
        }
        Ok(body)
    }

    /// Asks, and waits until an answer begins.
    pub(super) async fn fetch(
        &self,
        order: Forward,
        limits: &AnswerLimits,
    ) -> Result<Source, FetchError> {
        let mut response = self.send(&order).await?;
        let mut order = &order;
        if let Some(fallback) = &order.fallback {
            if lacks_endpoint(response.status()) {
                response = self.send(fallback).await?;
                order = fallback;
            }
            // An error may have any reason.
            if response.status() == StatusCode::OK {
                let found = self
                    .responses
                    .get_or_init(|| order.endpoint == Endpoint::Responses);
                debug!(backend = self.settings.name, responses = found, "found out");
            }
        }
        self.answered(response, order, limits).await
    }

    async fn send(&self, order: &Forward) -> Result<Response, FetchError> {
        let mut url = self.url(order.endpoint.path());
        url.set_query(order.query.as_deref());
        let request = self.client.post(url).headers(order.headers.clone());
        let sent = request.body(order.body.clone()).send().await;
        sent.map_err(|error| self.failed(error))
    }

    async fn answered(
        &self,
        response: Response,
        order: &Forward,
        limits: &AnswerLimits,
    ) -> Result<Source, FetchError> {
        let status = response.status();
        let headers = headers::to_client(response.headers());
        let mut bytes = self.bytes(response);
        // No other status comes with a whole answer, so that its words are passed on as they are.
        if status != StatusCode::OK {
            let body = bytes.whole(limits.bytes, Some(limits)).await?;
            return Err(self.refused(status, headers, body));
        }
        let streams = order.answer.endpoint.streams();
        let is_stream = streams && bytes.begin_event_stream(limits.bytes).await?;
        let content = if is_stream {
            let recording = match order.decoded {
                None => Recording::Verbatim(Box::new(Recorder::new(order.answer.endpoint))),
                Some(api) => {
                    Recording::Encoded(order.answer.recorder(""), Some(EventDecoder::new(api)))
                }
            };
            let frames = Frames::of_upstream(bytes, recording, limits.clone());
            Content::Stream(Box::new(frames))
        } else {
            let document = bytes.whole(limits.bytes, Some(limits)).await?;
            match order.decoded {
                Some(api) => self.translated(&document, order, api, limits)?,
                None => Content::Document(document),
            }
        };
        Ok(Source { headers, content })
    }

    /// Passes a request on, and waits until the reply begins.
    pub(crate) async fn pass(&self, head: &Parts, body: Upload) -> Result<Response, FetchError> {
        let mut url = self.url(head.uri.path());
        url.set_query(self.query(head.uri.query()).as_deref());
        let headers = headers::passed_on(&self.settings, &head.headers);
        let mut request = self
            .client
            .request(head.method.clone(), url)
            .headers(headers);
        if let Some(body) = body.into_body() {
            request = request.body(body);
        }
        request.send().await.map_err(|error| self.failed(error))
    }

    /// Returns the headers of a reply that the client gets, where it is passed on.
    pub(crate) fn passed_headers(headers: &HeaderMap) -> HeaderMap {
        headers::passed_back(headers)
    }

    /// Returns the client's query string, without credentials where the client's own do not pass.
    pub(super) fn query(&self, query: Option<&str>) -> Option<String> {
        let query = query?;
        if self.settings.passes_own_key() {
            return Some(query.to_owned());
        }
        Some(query_without_credentials(query)).filter(|query| !query.is_empty())
    }

    /// The document at another path, for `models`.
    pub(super) async fn get(&self, path: &str, client: &HeaderMap) -> Result<Value, FetchError> {
        const LIMIT: usize = 8 << 20;
        let headers = headers::for_models(&self.settings, client);
        let request = self.client.get(self.url(path)).headers(headers);
        let response = request.send().await.map_err(|error| self.failed(error))?;
        let status = response.status();
        let headers = headers::to_client(response.headers());
        let body = self.bytes(response).whole(LIMIT, None).await?;
        if !status.is_success() {
            return Err(self.refused(status, headers, body));
        }
        serde_json::from_slice(&body).map_err(|error| self.broken(error.to_string()))
    }

    /// The address of a path of the API. `OpenAI`'s base URLs end with the version, Anthropic's
    /// do not.
    fn url(&self, path: &str) -> Url {
        let base = self.settings.url.as_str().trim_end_matches('/');
        let path = match self.settings.api {
            Api::OpenAi | Api::Responses => path.strip_prefix("/v1").unwrap_or(path),
            Api::Anthropic => path,
        };
        let url = format!("{base}{path}");
        url.parse().expect("a URL with a longer path is one")
    }

    fn bytes(&self, response: Response) -> UpstreamBytes {
        UpstreamBytes {
            response,
            begun: Bytes::new(),
            backend: self.settings.name.clone(),
            idle_timeout: self.settings.idle_timeout,
        }
    }

    /// Returns a whole answer in the client's wire format: the document is decoded as the stream
    /// that it could have been, whose events are encoded for the client.
    fn translated(
        &self,
        document: &Bytes,
        order: &Forward,
        api: Api,
        limits: &AnswerLimits,
    ) -> Result<Content, FetchError> {
        let mut decoder = EventDecoder::new(api);
        let _values = limits.take_values(document)?;
        let whole: Value = serde_json::from_slice(document)
            .map_err(|error| self.broken(format!("it is not JSON: {error}")))?;
        let payloads = unfold(order.endpoint, &whole);
        let mut events: Vec<_> = payloads
            .iter()
            .flat_map(|payload| decoder.payload(payload))
            .collect();
        events.extend(decoder.finish());
        let mut recorder = order.answer.recorder("");
        for event in &events {
            recorder.push(event);
        }
        match recorder.finish() {
            Ok(answer) => Ok(Content::Document(answer.document(&Fresh::new()))),
            Err(Fragment {
                document: Some(document),
                reason,
            }) => Ok(Content::Unstorable {
                document: document.to_string().into(),
                reason,
            }),
            Err(Fragment { reason, .. }) => Err(self.broken(reason.to_string())),
        }
    }

    fn failed(&self, error: reqwest::Error) -> FetchError {
        failed(&self.settings.name, self.settings.idle_timeout, error)
    }

    fn broken(&self, reason: String) -> FetchError {
        FetchError::BrokenOff {
            backend: self.settings.name.clone(),
            reason,
        }
    }

    fn refused(&self, status: StatusCode, headers: HeaderMap, body: Bytes) -> FetchError {
        FetchError::Refused(Arc::new(Refusal {
            backend: self.settings.name.clone(),
            api: self.settings.api,
            status,
            headers,
            body,
        }))
    }
}

/// The bytes of an upstream's reply, as they come.
pub(super) struct UpstreamBytes {
    response: Response,
    /// What was read to see what comes, and is still to be handed out.
    begun: Bytes,
    backend: String,
    idle_timeout: Duration,
}

impl UpstreamBytes {
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
        if !self.begun.is_empty() {
            return Some(Ok(std::mem::take(&mut self.begun)));
        }
        let chunk = self.response.chunk().await.transpose()?;
        Some(chunk.map_err(|error| failed(&self.backend, self.idle_timeout, error)))
    }

    /// Returns whether the body is an event stream by its first bytes, whatever its media type is:
    /// servers spell that in many ways, name none or a wrong one.
    async fn begin_event_stream(&mut self, limit: usize) -> Result<bool, FetchError> {
        let mut begun = BytesMut::new();
        let form = loop {
            let form = body_form(&begun);
            if form != BodyForm::Undecided {
                break form;
            }
            let Some(chunk) = self.next().await.transpose()? else {
                break form;
            };
            if begun.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge { limit });
            }
            begun.extend_from_slice(&chunk);
        };
        self.begun = begun.freeze();
        Ok(form == BodyForm::EventStream)
    }

    /// All bytes, up to `limit`; with `limits`, within the memory for all answers.
    async fn whole(
        &mut self,
        limit: usize,
        limits: Option<&AnswerLimits>,
    ) -> Result<Bytes, FetchError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.next().await.transpose()? {
            if whole.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge { limit });
            }
            if let Some(limits) = limits {
                limits.take(chunk.len())?;
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

/// Returns whether a status may mean that there is no such endpoint.
fn lacks_endpoint(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    )
}

fn failed(backend: &str, idle_timeout: Duration, error: reqwest::Error) -> FetchError {
    let backend = backend.to_owned();
    if error.is_timeout() && !error.is_connect() {
        return FetchError::Silent {
            backend,
            timeout: idle_timeout,
        };
    }
    let unreachable = error.is_connect();
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Memory takes every text.
        let _ = write!(reason, ": {error}");
        cause = error.source();
    }
    if unreachable {
        FetchError::Unreachable { backend, reason }
    } else {
        FetchError::BrokenOff { backend, reason }
    }
}

fn api_name(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "openai",
        Api::Responses => "responses",
        Api::Anthropic => "anthropic",
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub(crate) fn settings() -> UpstreamSettings {
        UpstreamSettings {
            name: "test".to_owned(),
            api: Api::OpenAi,
            url: "http://127.0.0.1:9/v1/".parse().expect("it is a URL"),
            api_key: None,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
            responses: None,
            stream_usage: true,
            pass_through: true,
            unsupported: Unsupported::Refuse,
            client_key: ClientKey::SameApi,
            list_models_with_client_key: false,
            forward_headers: Vec::new(),
        }
    }

    pub(crate) fn upstream() -> Upstream {
        Upstream::new(settings()).expect("a client can be made")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(api: Api, url: &str) -> Upstream {
        let settings = UpstreamSettings {
            api,
            url: url.parse().expect("it is a URL"),
            ..testing::settings()
        };
        Upstream::new(settings).expect("a client can be made")
    }

    #[test]
    fn the_base_url_is_the_one_that_sdks_take() {
        let openai = upstream(Api::OpenAi, "http://h/api/v1/");
        let url = openai.url(Endpoint::ChatCompletions.path());
        assert_eq!(url.as_str(), "http://h/api/v1/chat/completions");
        let anthropic = upstream(Api::Anthropic, "http://h");
        let url = anthropic.url(Endpoint::CountTokens.path());
        assert_eq!(url.as_str(), "http://h/v1/messages/count_tokens");
    }
}
