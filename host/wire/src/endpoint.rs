//! What a client can call.

use serde_json::Value;

use crate::{Api, BadRequest, Delivery, Text, messages, openai, responses};

/// What a client can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `OpenAI`'s `POST /v1/chat/completions`.
    ChatCompletions,
    /// `OpenAI`'s `POST /v1/completions`: text goes on, without roles.
    Completions,
    /// `OpenAI`'s `POST /v1/embeddings`.
    Embeddings,
    /// `OpenAI`'s `POST /v1/responses`.
    Responses,
    /// Anthropic's `POST /v1/messages`.
    Messages,
    /// Anthropic's `POST /v1/messages/count_tokens`.
    CountTokens,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
    ];

    /// The name that stands in the key; never change it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat-completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count-tokens",
        }
    }

    /// Its path in the URL.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
        }
    }

    /// The one at the end of a URL, with or without `/v1`, if there is one.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let path = path.trim_end_matches('/');
        Self::ALL.into_iter().find(|endpoint| {
            let own = endpoint.path();
            path.ends_with(own) || own.strip_prefix("/v1") == Some(path)
        })
    }

    /// The one to which a body like this is sent.
    #[must_use]
    pub fn likely(body: &Value) -> Self {
        let is_anthropic = body.get("system").is_some()
            || body.get("thinking").is_some()
            || body.pointer("/tools/0/input_schema").is_some();
        if is_anthropic {
            Self::Messages
        } else if responses::is_request(body) {
            Self::Responses
        } else if body.get("input").is_some() {
            Self::Embeddings
        } else if body.get("prompt").is_some() {
            Self::Completions
        } else {
            Self::ChatCompletions
        }
    }

    /// Whose dialect it speaks.
    #[must_use]
    pub fn api(self) -> Api {
        match self {
            Self::ChatCompletions | Self::Completions | Self::Embeddings => Api::OpenAi,
            Self::Responses => Api::Responses,
            Self::Messages | Self::CountTokens => Api::Anthropic,
        }
    }

    /// Whether its answers can come as a stream.
    #[must_use]
    pub fn streams(self) -> bool {
        !matches!(self, Self::Embeddings | Self::CountTokens)
    }

    /// Returns how many choices or embeddings a request with this body wants.
    #[must_use]
    pub fn parts(self, body: &Value) -> usize {
        let inputs = |field: &str| match body.get(field).and_then(Value::as_array) {
            // A list of numbers is one text in tokens.
            Some(items) if items.iter().any(|item| !item.is_number()) => items.len(),
            Some(_) | None => 1,
        };
        let choices = body.get("n").and_then(Value::as_u64).unwrap_or(1);
        let choices = usize::try_from(choices).unwrap_or(usize::MAX);
        match self {
            Self::ChatCompletions => choices,
            Self::Completions => choices.saturating_mul(inputs("prompt")),
            Self::Embeddings => inputs("input"),
            Self::Responses | Self::Messages | Self::CountTokens => 1,
        }
    }

    /// Reads in which form the answer is wanted.
    ///
    /// # Errors
    /// Names the field that has the wrong type.
    pub fn delivery(self, body: &Value) -> Result<Delivery, BadRequest> {
        match self.api() {
            _ if !self.streams() => Ok(Delivery::Whole),
            Api::OpenAi => openai::delivery(body),
            Api::Responses => responses::delivery(body),
            Api::Anthropic => messages::delivery(body),
        }
    }

    /// The strings of a request's body that a model reads, in order.
    #[must_use]
    pub fn texts(self, body: &Value) -> Vec<Text> {
        match self {
            Self::ChatCompletions => openai::texts(body),
            Self::Completions => openai::input_texts(body, "prompt"),
            Self::Embeddings => openai::input_texts(body, "input"),
            Self::Responses => responses::texts(body),
            Self::Messages | Self::CountTokens => messages::texts(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_paths_are_unique() {
        let names: HashSet<_> = Endpoint::ALL.map(Endpoint::name).into();
        let paths: HashSet<_> = Endpoint::ALL.map(Endpoint::path).into();
        assert_eq!((names.len(), paths.len()), (6, 6));
    }

    #[test]
    fn an_endpoint_is_found_at_the_end_of_a_url() {
        for (url, endpoint) in [
            (
                "https://x.example/v1/messages?beta=true",
                Some(Endpoint::Messages),
            ),
            ("/v1/messages/count_tokens", Some(Endpoint::CountTokens)),
            ("/messages/", Some(Endpoint::Messages)),
            ("/responses", Some(Endpoint::Responses)),
            ("/v1/models", None),
            ("", None),
        ] {
            assert_eq!(Endpoint::of_url(url), endpoint, "{url}");
        }
    }

    #[test]
    fn a_body_shows_its_likely_endpoint() {
        let item = json!({"role": "user", "content": "a"});
        for (body, endpoint) in [
            (json!({"input": "a"}), Endpoint::Embeddings),
            (json!({"input": ["a", "b"]}), Endpoint::Embeddings),
            (json!({"input": [item]}), Endpoint::Responses),
            (
                json!({"input": [{"type": "item_reference"}]}),
                Endpoint::Responses,
            ),
            (
                json!({"input": "a", "instructions": "b"}),
                Endpoint::Responses,
            ),
            (json!({"input": "a", "stream": true}), Endpoint::Responses),
            (json!({"messages": [item]}), Endpoint::ChatCompletions),
            (json!({"prompt": "a"}), Endpoint::Completions),
            (
                json!({"messages": [item], "system": "b"}),
                Endpoint::Messages,
            ),
        ] {
            assert_eq!(Endpoint::likely(&body), endpoint, "{body}");
        }
    }

    #[test]
    fn only_what_streams_is_delivered_as_a_stream() {
        for endpoint in Endpoint::ALL {
            let delivery = endpoint.delivery(&json!({"stream": true}));
            let streams = matches!(delivery, Ok(Delivery::Stream { .. }));
            assert_eq!(streams, endpoint.streams(), "{endpoint:?}");
        }
    }

    #[test]
    fn parts_are_choices_times_texts() {
        for (endpoint, body, parts) in [
            (Endpoint::ChatCompletions, json!({}), 1),
            (Endpoint::ChatCompletions, json!({"n": 3}), 3),
            (
                Endpoint::Completions,
                json!({"n": 2, "prompt": ["a", "b"]}),
                4,
            ),
            (Endpoint::Completions, json!({"prompt": [1, 2, 3]}), 1),
            (Endpoint::Embeddings, json!({"input": [[1, 2], [3]]}), 2),
            (Endpoint::Responses, json!({"input": ["a", "b"]}), 1),
            (Endpoint::Messages, json!({"n": 3}), 1),
        ] {
            assert_eq!(endpoint.parts(&body), parts, "{body}");
        }
    }
}
