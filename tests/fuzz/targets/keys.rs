//! Bodies with the same meaning have one key, and others have another.
//!
//! An input is two bodies with a zero byte between them, or one alone.

#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use deja_cache::{Endpoint, Key};
use deja_fuzz::json::Json;
use deja_proxy::{
    Api, Backend, Backends, ClientKey, Pattern, Routed, Unsupported, Upstream, UpstreamSettings,
};
use libfuzzer_sys::fuzz_target;

/// Digits in a row from which on all bytes of a body are in its key.
const LONG_DIGITS: usize = 19;

static BACKENDS: LazyLock<Backends> = LazyLock::new(|| {
    let upstream = Upstream::new(UpstreamSettings {
        name: "upstream".to_owned(),
        api: Api::OpenAi,
        url: "http://localhost/v1".parse().expect("it is a URL"),
        api_key: None,
        connect_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(1),
        answer_timeout: Duration::from_secs(1),
        responses: None,
        stream_usage: false,
        pass_through: true,
        unsupported: Unsupported::Refuse,
        client_key: ClientKey::SameApi,
        list_models_with_client_key: false,
        forward_headers: Vec::new(),
    });
    Backends::new([Arc::new(Routed {
        name: "upstream".to_owned(),
        backend: Backend::Upstream(Arc::new(upstream.expect("a client can be made"))),
        models: vec![Pattern::new("*").expect("it is a pattern")],
        aliases: Vec::new(),
    })])
});

fuzz_target!(|data: &[u8]| {
    let mut bodies = data.splitn(2, |byte| *byte == 0);
    let one = bodies.next().unwrap_or_default();
    let other = bodies.next().unwrap_or_default();
    let Some((key, json)) = keyed(one) else {
        return;
    };
    if !has_long_digits(one) {
        let spelling = respelled(&json);
        let (again, _) = keyed(spelling.as_bytes())
            .unwrap_or_else(|| panic!("only one spelling has a key: {spelling}"));
        assert_eq!(key, again, "two spellings have two keys: {spelling}");
    }
    let Some((other_key, other_json)) = keyed(other) else {
        return;
    };
    let same = json.without_delivery() == other_json.without_delivery();
    assert!(same || key != other_key, "two requests share a key");
    let long = has_long_digits(data);
    assert!(
        !same || long || key == other_key,
        "one request has two keys"
    );
});

/// The key of a body, and what the body means.
fn keyed(body: &[u8]) -> Option<(Key, Json)> {
    let json = Json::read(body)?;
    let body = Bytes::copy_from_slice(body);
    let key = deja_proxy::fuzzing::key(&BACKENDS, Endpoint::ChatCompletions, body).ok()?;
    Some((key, json))
}

/// The same request, written otherwise and with another delivery.
fn respelled(json: &Json) -> String {
    let mut json = json.clone().without_delivery();
    if let Json::Object(fields) = &mut json {
        fields.insert("stream".to_owned(), Json::Bool(true));
    }
    json.respelled()
}

fn has_long_digits(body: &[u8]) -> bool {
    body.split(|byte| !byte.is_ascii_digit())
        .any(|digits| digits.len() >= LONG_DIGITS)
}
