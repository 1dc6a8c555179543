//! What authors test their policies with does as the host does: it finds the same texts, and makes
//! the same edits or none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use deja_cache::{
    Change, Decision, Edit, Endpoint, Floor, KeyRequest, Keyed, Keyer, KeyerChain, PolicyError,
    Recipe, Scope,
};
use deja_plugin::keyer as sdk;
use deja_plugin::testing::{Request, canonical};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::request_to;

/// Asks for the same edits whatever the request.
struct Fixed(Vec<Edit>);

impl Keyer for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn identity(&self) -> &'static str {
        "fixed"
    }

    fn floor(&self) -> Floor {
        Floor::Open
    }

    fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
        Ok(Decision::Cache(Recipe {
            edits: self.0.clone(),
            ..Recipe::default()
        }))
    }
}

/// What the host leaves of a body, if it makes the edits.
fn by_host(body: &Value, edits: &[Edit]) -> Option<Value> {
    let chain = KeyerChain::new(vec![Arc::new(Fixed(edits.to_vec()))]);
    let request = request_to(Endpoint::ChatCompletions, body.clone());
    match chain.consult(request, Scope::of([])).keyed {
        Keyed::Cache(ticket) => Some(serde_json::from_slice(&ticket.body).expect("it is JSON")),
        Keyed::Bypass(_) => None,
    }
}

/// What the SDK leaves of it, if it does not find fault with the edits.
fn by_sdk(body: &Value, edits: &[Edit]) -> Option<Value> {
    let edits: Vec<_> = edits.iter().map(in_sdk).collect();
    catch_unwind(AssertUnwindSafe(|| canonical(body, &edits))).ok()
}

fn in_sdk(edit: &Edit) -> sdk::Edit {
    let rule = &edit.rule;
    match &edit.change {
        Change::Remove { pointer } => sdk::Edit::remove(rule, pointer),
        Change::Replace { pointer, json } => sdk::Edit::replace(rule, pointer, json),
        Change::Rewrite {
            pointer,
            start,
            end,
            replacement,
        } => {
            let bytes = *start as usize..*end as usize;
            sdk::Edit::splice(rule, pointer, bytes, replacement)
        }
    }
}

fn body() -> Value {
    json!({
        "model": "m",
        "messages": [{"role": "user", "content": "héllo"}, {"role": "user", "content": "abcdef"}],
        "list": (0..12).collect::<Vec<_>>(),
        "a/b~": {"1x": "one", "2": "two", "10": {"": "ten"}},
    })
}

/// Places that are there, and some that are not.
const PLACES: [&str; 22] = [
    "",
    "list",
    "/",
    "/model",
    "/model/x",
    "/messages",
    "/messages/0",
    "/messages/0/content",
    "/messages/1/content",
    "/messages/1/content/0",
    "/messages/2",
    "/list",
    "/list/2",
    "/list/02",
    "/list/10",
    "/list/12",
    "/list/-",
    "/a~1b~0",
    "/a~1b~0/1x",
    "/a~1b~0/2",
    "/a~1b~0/10",
    "/a~1b~0/10/",
];

fn change() -> impl Strategy<Value = Change> {
    let place = || prop::sample::select(&PLACES[..]).prop_map(str::to_owned);
    let json = prop::sample::select(&["[]", "\"new\"", "{"][..]).prop_map(str::to_owned);
    let rewrite = |pointer: String, start, end, replacement: String| Change::Rewrite {
        pointer,
        start,
        end,
        replacement,
    };
    prop_oneof![
        place().prop_map(|pointer| Change::Remove { pointer }),
        (place(), json).prop_map(|(pointer, json)| Change::Replace { pointer, json }),
        (place(), 0..7_u32, 0..7_u32, "[xé]{0,2}")
            .prop_map(move |(pointer, start, end, new)| rewrite(pointer, start, end, new)),
    ]
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = change().prop_map(|change| Edit {
        rule: "rule".to_owned(),
        change,
    });
    prop::collection::vec(edit, 0..4)
}

/// What a message may hold.
fn content() -> impl Strategy<Value = Value> {
    let text = || "[a-c]{0,3}";
    let block = prop_oneof![
        text().prop_map(Value::from),
        text().prop_map(|text| json!({"type": "text", "text": text})),
        text().prop_map(|text| json!({"text": text, "content": text})),
        text().prop_map(|text| json!({"type": "tool_result", "content": text, "text": text})),
        text().prop_map(|text| json!({"type": "tool_result", "content": [{"text": text}, text]})),
        Just(json!({"type": "text", "text": 7})),
        Just(json!({"type": "image"})),
        Just(Value::Null),
    ];
    prop_oneof![
        text().prop_map(Value::from),
        prop::collection::vec(block, 0..4).prop_map(Value::from),
        Just(Value::Null),
        Just(json!({"text": "an object"})),
    ]
}

const ENDPOINTS: [(Endpoint, sdk::Endpoint); 5] = [
    (Endpoint::ChatCompletions, sdk::Endpoint::ChatCompletions),
    (Endpoint::Completions, sdk::Endpoint::Completions),
    (Endpoint::Embeddings, sdk::Endpoint::Embeddings),
    (Endpoint::Messages, sdk::Endpoint::Messages),
    (Endpoint::CountTokens, sdk::Endpoint::CountTokens),
];

const ROLES: [(deja_wire::Role, sdk::Role); 4] = [
    (deja_wire::Role::System, sdk::Role::System),
    (deja_wire::Role::User, sdk::Role::User),
    (deja_wire::Role::Assistant, sdk::Role::Assistant),
    (deja_wire::Role::Tool, sdk::Role::Tool),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_same_edits_are_made(edits in edits()) {
        prop_assert_eq!(by_sdk(&body(), &edits), by_host(&body(), &edits));
    }

    #[test]
    fn the_same_texts_are_found(
        role in prop::sample::select(
            &["system", "developer", "user", "assistant", "tool", "function", "?"][..],
        ),
        contents in prop::array::uniform3(content()),
    ) {
        let [first, second, third] = contents;
        let body = json!({
            "system": first,
            "prompt": second,
            "input": third,
            "messages": [
                {"role": role, "content": first, "tool_calls": []},
                {"role": "user", "content": second},
                {"content": third},
            ],
        });
        for (endpoint, in_sdk) in ENDPOINTS {
            let host = request_to(endpoint, body.clone());
            let sdk = Request::new(in_sdk, body.clone());
            for (role, in_sdk) in ROLES {
                let by_host: Vec<_> = host.texts(role).into_iter().map(|text| (text.pointer, text.content)).collect();
                let by_sdk: Vec<_> = sdk.texts(in_sdk).into_iter().map(|text| (text.pointer, text.content)).collect();
                prop_assert_eq!(by_sdk, by_host);
            }
        }
    }
}
