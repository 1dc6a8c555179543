//! A server to be measured, and how it is asked.

use deja_wire::Api;
use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

use super::request::Request;

/// The version of Anthropic's API that is spoken.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Where a server is, and how it wants to be asked.
#[derive(Clone, Debug)]
pub struct Address {
    /// Its URL, with or without the `/v1` that `OpenAI`'s SDK takes.
    pub url: String,
    /// The API that it is asked by.
    pub api: Api,
    /// The model; without it the first that the server names.
    pub model: Option<String>,
    /// The caller's key.
    pub api_key: Option<String>,
    /// More headers.
    pub headers: HeaderMap,
}

/// A server to be measured.
#[derive(Clone, Debug)]
pub struct Target {
    client: Client,
    url: String,
    api: Api,
    model: String,
    headers: HeaderMap,
}

/// Why a server cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nobody answers.
    #[error("no server answers at {url}")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The API key is none that a header can hold.
    #[error("the API key cannot stand in a header")]
    BadKey,
    /// Nobody named a model, and the server names none either.
    #[error("the server at {url} names no model ({status} for /v1/models): name one")]
    NoModel {
        /// The server.
        url: String,
        /// What it answered.
        status: StatusCode,
    },
}

impl Target {
    /// Finds out whether the server is there, and which model it has.
    pub async fn find(client: Client, address: Address) -> Result<Self, TargetError> {
        let url = base(&address.url).to_owned();
        let mut target = Self {
            headers: headers(&address)?,
            client,
            url,
            api: address.api,
            model: String::new(),
        };
        // A server that has no list of models may be asked for one by name all the same.
        let offered = target.first_model().await?;
        target.model = match (address.model, offered) {
            (Some(model), _) | (None, Ok(model)) => model,
            (None, Err(status)) => {
                let url = target.url;
                return Err(TargetError::NoModel { url, status });
            }
        };
        Ok(target)
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The API that it is asked by.
    #[must_use]
    pub fn api(&self) -> Api {
        self.api
    }

    /// The model that is asked.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The request as it goes over the wire.
    pub(crate) fn post(&self, request: &Request) -> RequestBuilder {
        let query = request.query.iter().flat_map(|query| ["?", query]);
        let path: String = [&self.url, request.endpoint.path()]
            .into_iter()
            .chain(query)
            .collect();
        let post = self.client.post(path).headers(request.headers.clone());
        post.headers(self.headers.clone())
            .header("content-type", "application/json")
            .body(request.body.clone())
    }

    async fn first_model(&self) -> Result<Result<String, StatusCode>, TargetError> {
        let unreachable = |source| TargetError::Unreachable {
            url: self.url.clone(),
            source,
        };
        let list = self.client.get(format!("{}/v1/models", self.url));
        let reply = list.headers(self.headers.clone()).send().await;
        let reply = reply.map_err(unreachable)?;
        let status = reply.status();
        let list = reply.bytes().await.map_err(unreachable)?;
        let list: Value = serde_json::from_slice(&list).unwrap_or_default();
        let first = list.pointer("/data/0/id").and_then(Value::as_str);
        Ok(first.map(str::to_owned).ok_or(status))
    }
}

/// What stands before `/v1`.
fn base(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url)
}

fn headers(address: &Address) -> Result<HeaderMap, TargetError> {
    let mut headers = address.headers.clone();
    if address.api == Api::Anthropic {
        let version = HeaderName::from_static("anthropic-version");
        headers
            .entry(version)
            .or_insert(HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    if let Some(key) = &address.api_key {
        let (name, value) = match address.api {
            Api::OpenAi | Api::Responses => ("authorization", format!("Bearer {key}")),
            Api::Anthropic => ("x-api-key", key.clone()),
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| TargetError::BadKey)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_be_given_as_either_sdk_takes_it() {
        for url in [
            "http://h:1",
            "http://h:1/",
            "http://h:1/v1",
            "http://h:1/v1/",
        ] {
            assert_eq!(base(url), "http://h:1");
        }
    }

    #[test]
    fn each_api_has_its_own_credentials() {
        let headers = |api| {
            let address = Address {
                url: String::new(),
                api,
                model: None,
                api_key: Some("secret".to_owned()),
                headers: HeaderMap::new(),
            };
            super::headers(&address).expect("the key is text")
        };
        let openai = headers(Api::OpenAi);
        assert_eq!(openai["authorization"], "Bearer secret");
        assert!(!format!("{openai:?}").contains("secret"));
        let anthropic = headers(Api::Anthropic);
        assert_eq!(anthropic["x-api-key"], "secret");
        assert_eq!(anthropic["anthropic-version"], ANTHROPIC_VERSION);
    }
}
