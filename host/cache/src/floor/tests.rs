use std::sync::Arc;

use serde_json::{Value, json};

use super::Floor;
use crate::{
    BypassReason, Change, Decision, Edit, EditProblem, Endpoint, KeyRequest, Keyed, Keyer,
    KeyerChain, NoHeaders, PolicyError, Recipe, Scope,
};

/// Asks for the same edits whatever comes.
struct Fixed(&'static str, Floor, Vec<Edit>);

impl Keyer for Fixed {
    fn name(&self) -> &str {
        self.0
    }

    fn identity(&self) -> &str {
        self.0
    }

    fn floor(&self) -> Floor {
        self.1
    }

    fn decide(&self, _: &KeyRequest) -> Result<Decision, PolicyError> {
        Ok(Decision::Cache(Recipe {
            edits: self.2.clone(),
            ..Recipe::default()
        }))
    }
}

fn edit(rule: &str, change: Change) -> Edit {
    let rule = rule.to_owned();
    Edit { rule, change }
}

fn remove(pointer: &str) -> Edit {
    let pointer = pointer.to_owned();
    edit(&format!("remove {pointer}"), Change::Remove { pointer })
}

fn replace(pointer: &str, value: &Value) -> Edit {
    let (pointer, json) = (pointer.to_owned(), value.to_string());
    edit("replace", Change::Replace { pointer, json })
}

fn rewrite(pointer: &str, start: u32, end: u32, replacement: &str) -> Edit {
    let (pointer, replacement) = (pointer.to_owned(), replacement.to_owned());
    edit(
        "rewrite",
        Change::Rewrite {
            pointer,
            start,
            end,
            replacement,
        },
    )
}

fn consult(endpoint: Endpoint, body: &Value, keyers: Vec<Fixed>) -> Keyed {
    let keyers = keyers.into_iter().map(|keyer| Arc::new(keyer) as _);
    let request = KeyRequest {
        endpoint,
        headers: Arc::new(NoHeaders),
        body: Arc::new(body.clone()),
        text: None,
    };
    let chain = KeyerChain::new(keyers.collect());
    chain.consult(request, Scope::of([])).keyed
}

/// The rule and the place of the edit that goes below the floor, if one does.
fn below(endpoint: Endpoint, body: &Value, edits: &[Edit]) -> Option<(String, String)> {
    let keyers = vec![Fixed("k", Floor::Held, edits.to_vec())];
    match consult(endpoint, body, keyers) {
        Keyed::Cache(_) => None,
        Keyed::Bypass(BypassReason::BadEdit(error)) => match error.problem {
            EditProblem::BelowFloor { pointer, .. } => Some((error.rule, pointer)),
            problem => panic!("it is another problem: {problem}"),
        },
        Keyed::Bypass(reason) => panic!("it is another reason: {reason}"),
    }
}

fn chat() -> Value {
    json!({
        "model": "m",
        "n": 2,
        "logprobs": true,
        "top_logprobs": 3,
        "response_format": {"type": "json_object"},
        "tools": [
            {"type": "function", "function": {"name": "b", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "a", "description": "Reads a whole file."},
                "cache_control": {}},
        ],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital of France?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Paris is the capital."},
            {"role": "user", "content": [
                {"type": "text", "text": "And of Germany?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
        ],
        "user": "ada",
    })
}

fn messages() -> Value {
    json!({
        "model": "m",
        "output_config": {"format": {"type": "json_schema"}},
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nBe kind.\n</system-reminder>"},
                {"type": "text", "text": "List the files."},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "a.rs b.rs", "cache_control": {"type": "ephemeral"}},
                ]},
                {"type": "text", "text": "<system-reminder>\nTokens: 1\n</system-reminder>"},
            ]},
            {"role": "user", "content": "<question>Which is newer?</question>"},
        ],
    })
}

fn responses() -> Value {
    json!({
        "model": "m",
        "text": {"format": {"type": "json_schema"}},
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "id": "msg_1", "role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "ls"},
            {"type": "function_call_output", "call_id": "call_1", "output": "a.rs and b.rs"},
            {"type": "item_reference", "id": "msg_0"},
        ],
    })
}

/// Sees whether each list of edits of a body goes below the floor.
fn all(goes_below: bool, endpoint: Endpoint, body: &Value, cases: &[Vec<Edit>]) {
    for edits in cases {
        let found = below(endpoint, body, edits);
        assert_eq!(found.is_some(), goes_below, "{edits:?}: {found:?}");
    }
}

#[test]
fn what_was_asked_stays_in_the_key() {
    let is_held = |endpoint, body: Value, cases: &[Vec<Edit>]| all(true, endpoint, &body, cases);
    let everything = "what is the capital of france and of germany ".repeat(4);
    let moved = json!({"role": "assistant", "content": "What is the capital of France?"});
    let turns = [
        vec![remove("/messages")],
        vec![replace("/messages", &json!([]))],
        vec![remove("/messages/1")],
        vec![remove("/messages/1/content")],
        vec![remove("/messages/3")],
        vec![replace("/messages/1", &moved)],
        vec![rewrite("/messages/1/content", 0, 30, "")],
        vec![rewrite("/messages/1/content", 0, 29, "")],
        vec![rewrite("/messages/1/content", 0, 30, &everything)],
        vec![replace("/messages/3/content", &json!("x"))],
        vec![remove("/messages/4/content/0/text")],
        vec![remove("/messages/4/content/1")],
        vec![remove("/messages/4/content/1/image_url")],
        vec![
            remove("/messages/4/content/0"),
            remove("/messages/4/content/1"),
        ],
    ];
    is_held(Endpoint::ChatCompletions, chat(), &turns);
    let terms = [
        vec![remove("/tools")],
        vec![remove("/tools/0")],
        vec![remove("/tools/0/function/parameters")],
        vec![rewrite("/tools/1/function/description", 0, 19, "")],
        vec![remove("/n")],
        vec![replace("/n", &json!(1))],
        vec![remove("/logprobs")],
        vec![remove("/top_logprobs")],
        vec![replace("/response_format/type", &json!("text"))],
    ];
    is_held(Endpoint::ChatCompletions, chat(), &terms);
    let blocks = [
        vec![remove("/output_config/format")],
        vec![remove("/messages/2/content/0")],
        vec![remove("/messages/2/content/0/content/0")],
        vec![remove("/messages/0/content/1")],
        vec![replace("/messages/3/content", &json!([]))],
    ];
    is_held(Endpoint::Messages, messages(), &blocks);
    let items = [
        vec![remove("/input/1")],
        vec![remove("/input/4/output")],
        vec![replace("/input/4/output", &json!("c.rs"))],
        vec![remove("/input/4/type")],
        vec![remove("/input/5/id")],
        vec![remove("/text/format")],
    ];
    is_held(Endpoint::Responses, responses(), &items);
    is_held(
        Endpoint::CountTokens,
        messages(),
        &[vec![remove("/messages/0")]],
    );
    for (endpoint, body, edit) in [
        (
            Endpoint::Completions,
            json!({"prompt": "Why not?"}),
            remove("/prompt"),
        ),
        (
            Endpoint::Completions,
            json!({"prompt": ["Why?", "How?"]}),
            remove("/prompt/1"),
        ),
        (
            Endpoint::Completions,
            json!({"prompt": [1, 2]}),
            replace("/prompt/1", &json!(3)),
        ),
        (
            Endpoint::Embeddings,
            json!({"input": ["a", "b"]}),
            replace("/input/0", &json!("x")),
        ),
        (
            Endpoint::Embeddings,
            json!({"input": "a", "dimensions": 2}),
            remove("/dimensions"),
        ),
        (
            Endpoint::Responses,
            json!({"input": "Why not?"}),
            remove("/input"),
        ),
    ] {
        is_held(endpoint, body, &[vec![edit]]);
    }
}

#[test]
fn what_does_not_matter_may_go() {
    let may_go = |endpoint, body: Value, cases: &[Vec<Edit>]| all(false, endpoint, &body, cases);
    let (first, second) = (chat()["tools"][0].clone(), chat()["tools"][1].clone());
    let question = "What is the capital of France?";
    let block = json!([{"type": "text", "text": question}]);
    let edits = [
        vec![remove("/user"), remove("/messages/0")],
        vec![rewrite(
            "/messages/1/content",
            0,
            30,
            &question.to_lowercase(),
        )],
        vec![rewrite("/messages/1/content", 23, 29, "")],
        vec![replace("/messages/1/content", &block)],
        vec![replace("/messages/3/tool_call_id", &json!("call_0"))],
        vec![remove("/messages/2/tool_calls")],
        vec![replace("/tools/0", &second), replace("/tools/1", &first)],
        vec![remove("/tools/1/cache_control")],
    ];
    may_go(Endpoint::ChatCompletions, chat(), &edits);
    let result = "/messages/2/content/0";
    let edits = [
        vec![remove("/system")],
        vec![remove("/messages/0/content/0")],
        vec![remove("/messages/2/content/1")],
        vec![remove(&format!("{result}/content/0/cache_control"))],
        vec![replace(&format!("{result}/tool_use_id"), &json!("call_0"))],
    ];
    may_go(Endpoint::Messages, messages(), &edits);
    let edits = [
        vec![remove("/instructions"), remove("/input/0")],
        vec![remove("/input/2/id"), remove("/input/3/id")],
        vec![
            replace("/input/3/call_id", &json!("call_0")),
            replace("/input/4/call_id", &json!("call_0")),
        ],
        vec![rewrite("/input/4/output", 5, 8, "or")],
    ];
    may_go(Endpoint::Responses, responses(), &edits);
    may_go(
        Endpoint::Responses,
        json!({"input": "Why  not?"}),
        &[vec![rewrite("/input", 3, 5, " ")]],
    );
    may_go(
        Endpoint::Completions,
        json!({"prompt": "Why  not?"}),
        &[vec![rewrite("/prompt", 3, 5, " ")]],
    );
    may_go(
        Endpoint::Embeddings,
        json!({"input": ["A", "b"]}),
        &[vec![replace("/input/0", &json!("a"))]],
    );
}

#[test]
fn the_edit_that_goes_too_far_is_named() {
    let edits = [
        remove("/user"),
        remove("/messages/0"),
        remove("/messages/4/content/0/text"),
        remove("/messages/1"),
    ];
    let found = below(Endpoint::ChatCompletions, &chat(), &edits);
    let place = "/messages/4/content/0/text".to_owned();
    assert_eq!(found, Some((format!("remove {place}"), place)));
}

#[test]
fn the_floor_is_one_for_all_keyers_together() {
    let halves = |floor| {
        let first = vec![rewrite("/messages/0/content", 0, 8, "")];
        let second = vec![rewrite("/messages/0/content", 0, 4, "")];
        vec![
            Fixed("first", floor, first),
            Fixed("second", Floor::Held, second),
        ]
    };
    let body = json!({"messages": [{"role": "user", "content": "one two three four"}]});
    let keyed = consult(Endpoint::ChatCompletions, &body, halves(Floor::Held));
    assert!(
        matches!(&keyed, Keyed::Bypass(BypassReason::BadEdit(error)) if error.rule == "rewrite"),
        "{keyed:?}"
    );
    // What a keyer took out under an open floor is not held against the next one.
    let body = json!({"messages": [{"role": "user", "content": "one two three four five"}]});
    let keyed = consult(Endpoint::ChatCompletions, &body, halves(Floor::Open));
    assert!(matches!(keyed, Keyed::Cache(_)), "{keyed:?}");
}

#[test]
fn an_open_floor_lets_anything_go() {
    let open = || Fixed("k", Floor::Open, vec![remove("/messages")]);
    let keyed = consult(Endpoint::ChatCompletions, &chat(), vec![open()]);
    assert!(matches!(keyed, Keyed::Cache(_)), "{keyed:?}");
    assert_eq!(KeyerChain::new(vec![Arc::new(open())]).floor(), Floor::Open);
    assert_eq!(KeyerChain::new(Vec::new()).floor(), Floor::Held);
}
