use deja_cache::HeaderPattern;

use super::*;

type Sent<'a> = [(&'static str, &'a str)];

fn headers(sent: &Sent<'_>) -> hyper::http::request::Builder {
    sent.iter()
        .fold(Request::builder(), |request, (name, value)| {
            request.header(*name, *value)
        })
}

fn call(uri: &str, sent: &Sent<'_>, by: PartitionBy) -> Call {
    let request = headers(sent).uri(uri).body(());
    let (head, ()) = request.expect("it is a request").into_parts();
    Call::new(Endpoint::Messages, head, HeaderRules::default(), by, held())
}

fn held() -> Share {
    Budget::default().share(0)
}

fn scope(uri: &str, sent: &Sent<'_>, by: PartitionBy) -> Scope {
    Scope::of(call(uri, sent, by).scope_parts())
}

fn by_team() -> PartitionBy {
    PartitionBy::Header("x-team".parse().expect("it is a name"))
}

#[test]
fn keyers_see_only_headers_that_hold_no_secret() {
    let sent = [
        ("x-team", "blue"),
        ("authorization", "Bearer ada"),
        ("x-of-a-new-vendor", "ada"),
        ("anthropic-beta", "x"),
        ("user-agent", "curl"),
    ];
    let headers = call("/", &sent, by_team()).headers;
    assert_eq!(headers.get("X-Team"), Some("blue"));
    assert_eq!(headers.get("anthropic-beta"), Some("x"));
    assert_eq!(headers.get("user-agent"), Some("curl"));
    assert_eq!(headers.get("Authorization"), None);
    assert_eq!(headers.get("x-of-a-new-vendor"), None);
    let shown: Vec<_> = headers.shown().map(|(name, _)| name).collect();
    assert_eq!(shown, ["x-team", "anthropic-beta", "user-agent"]);
}

#[test]
fn what_can_change_an_answer_is_in_its_scope() {
    let plain = scope("/v1/messages", &[], PartitionBy::ApiKey);
    let others = [
        scope("/v1/messages?beta=true", &[], PartitionBy::ApiKey),
        scope("/", &[("anthropic-beta", "a")], PartitionBy::ApiKey),
        scope("/", &[("x-api-key", "ada")], PartitionBy::ApiKey),
        scope(
            "/",
            &[("ocp-apim-subscription-key", "ada")],
            PartitionBy::ApiKey,
        ),
        scope("/", &[("x-portkey-config", "a")], PartitionBy::ApiKey),
        scope("/", &[("x-anything", "a")], PartitionBy::ApiKey),
        scope("/", &[("x-team", "blue")], by_team()),
        scope("/", &[], by_team()),
        scope("/", &[], PartitionBy::None),
    ];
    assert!(others.iter().all(|other| *other != plain));
    let retried = [("x-stainless-retry-count", "1"), ("session-id", "2")];
    assert_eq!(scope("/", &retried, PartitionBy::ApiKey), plain);
}

#[test]
fn callers_share_answers_where_they_are_to() {
    let (ada, bob) = ([("x-api-key", "ada")], [("x-api-key", "bob")]);
    for by in [by_team(), PartitionBy::None] {
        assert_eq!(scope("/", &ada, by.clone()), scope("/", &bob, by));
    }
}

#[test]
fn a_header_can_be_ignored() {
    let scope = |sent: &Sent<'_>| {
        let pattern = HeaderPattern::new("x-run").expect("it is a name");
        let rules = HeaderRules::ignoring(vec![pattern]);
        let (head, ()) = headers(sent)
            .body(())
            .expect("it is a request")
            .into_parts();
        let call = Call::new(Endpoint::Messages, head, rules, PartitionBy::ApiKey, held());
        Scope::of(call.scope_parts())
    };
    assert_eq!(scope(&[("x-run", "7")]), scope(&[]));
    assert_ne!(scope(&[("x-other", "7")]), scope(&[]));
}

#[test]
fn what_connection_names_is_neither_keyed_nor_kept() {
    let sent = [("connection", "close, X-Hop"), ("x-hop", "1")];
    assert_eq!(
        scope("/", &sent, PartitionBy::ApiKey),
        scope("/", &[], PartitionBy::ApiKey)
    );
    assert!(
        !call("/", &sent, PartitionBy::ApiKey)
            .headers
            .map
            .contains_key("x-hop")
    );
    let sent = [("connection", "x-team"), ("x-team", "blue")];
    let blue = scope("/", &[("x-team", "blue")], by_team());
    assert_eq!(scope("/", &sent, by_team()), blue);
}

#[test]
fn callers_who_show_the_same_credentials_are_one_tenant() {
    let tenant = |by: PartitionBy, key: &str, agent: &str| {
        call("/", &[("x-api-key", key), ("x-agent", agent)], by).tenant()
    };
    let ada = tenant(PartitionBy::ApiKey, "ada", "a");
    assert!(ada.is_some());
    assert_eq!(ada, tenant(PartitionBy::ApiKey, "ada", "b"));
    assert_ne!(ada, tenant(PartitionBy::ApiKey, "bob", "a"));
    assert_eq!(tenant(PartitionBy::None, "ada", "a"), None);
}
