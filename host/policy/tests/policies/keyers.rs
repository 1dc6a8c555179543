//! The standard keyers that take settings, as they are built in.

use deja_cache::{Keyed, Scope};
use deja_policy::PluginChoice;
use serde_json::{Value, json};

use crate::support::{Folder, chain, key, keyer_chain, request_of};

fn asked(question: &str, user: &str) -> Value {
    json!({"model": "m", "user": user, "messages": [{"role": "user", "content": question}]})
}

#[test]
fn fields_that_are_named_do_not_matter() {
    let keyer = keyer_chain("ignore-fields", json!({"pointers": ["/user", "/absent"]}));
    let one = key(&keyer, &asked("Why?", "a"));
    assert_eq!(one, key(&keyer, &asked("Why?", "b")));
    assert_ne!(one, key(&keyer, &asked("How?", "a")));
}

#[test]
fn the_model_cannot_be_named() {
    let choice = PluginChoice {
        config: json!({"pointers": ["/model"]}),
        ..PluginChoice::new("ignore-fields")
    };
    let host = Folder::new().host_with(choice, "lru", "standard");
    let error = chain(&host.load().err().expect("is refused"));
    assert!(
        error.contains("it refuses its settings: `/model`: the model is part of every key"),
        "{error}"
    );
}

#[test]
fn texts_meet_that_differ_in_space_and_encoding() {
    let keyer = keyer_chain("normalise-text", json!({}));
    let one = key(&keyer, &asked("Is the café  open? ", "a"));
    assert_eq!(one, key(&keyer, &asked("Is the cafe\u{301} open?", "a")));
    assert_ne!(one, key(&keyer, &asked("Is the cafe open?", "a")));
    let spaced = "Is  it ".repeat(1000);
    assert_eq!(
        key(&keyer, &asked(&spaced, "a")),
        key(&keyer, &asked("Is it ".repeat(1000).trim_end(), "a"))
    );
}

#[test]
fn what_a_tool_says_is_not_normalised() {
    let keyer = keyer_chain("normalise-text", json!({}));
    let body = |result: &str| json!({"messages": [{"role": "tool", "content": result}]});
    assert_ne!(key(&keyer, &body("a  b")), key(&keyer, &body("a b")));
}

#[test]
fn an_answer_that_is_drawn_is_not_cached() {
    let keyer = keyer_chain("sampling", json!({}));
    let mut body = asked("Why?", "a");
    let drawn = keyer.consult(request_of(body.clone()), Scope::of([]));
    let Keyed::Bypass(reason) = drawn.keyed else {
        panic!("it is cached");
    };
    assert!(
        reason.to_string().contains("temperature 1 is above 0"),
        "{reason}"
    );
    body["seed"] = json!(7);
    key(&keyer, &body);
}
