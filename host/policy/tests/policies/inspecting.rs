//! A file is looked at by itself, before anybody drops it into a folder.

use deja_cache::Keyer as _;
use deja_policy::{Inspection, Inspector, Limits, PluginKind, Problem};
use serde_json::{Value, json};

use crate::support::{Folder, built, edits, request};

fn inspect(component: &[u8], config: &Value) -> Result<Inspection, Problem> {
    let folder = Folder::new();
    let file = folder.put("mine", component);
    let inspector = Inspector::new(Limits::default()).expect("the runtime starts");
    inspector.inspect(&file, config)
}

#[test]
fn a_component_tells_what_it_is() {
    for (name, kind) in [
        ("ignore-case-and-space", PluginKind::Keyer),
        ("lru", PluginKind::Eviction),
        ("standard", PluginKind::Stats),
    ] {
        let component = built(name);
        let inspection = inspect(&component, &Value::Null).expect("it is a plugin");
        assert_eq!((inspection.kind, &*inspection.name), (kind, name));
        assert_eq!(inspection.bytes, component.len());
        assert!(inspection.outcome.is_ok(), "{:?}", inspection.outcome);
        let mut names = inspection.imports.iter().chain(&inspection.exports);
        assert!(names.all(|name| name.starts_with("deja:policy/")));
    }
}

#[test]
fn refused_settings_are_told_and_the_rest_as_well() {
    let inspection = inspect(&built("exact"), &json!({"fold": true})).expect("it is a plugin");
    assert_eq!(inspection.name, "exact");
    assert!(
        matches!(&inspection.outcome, Err(Problem::Settings(reason)) if reason.contains("`fold`")),
        "{:?}",
        inspection.outcome
    );
}

#[test]
fn what_is_no_plugin_is_found_fault_with() {
    let refused = |bytes: &[u8]| inspect(bytes, &Value::Null).expect_err("it is no plugin");
    assert!(matches!(refused(b""), Problem::Empty));
    assert!(matches!(refused(b"text"), Problem::NotWasm));
    assert!(matches!(refused(b"\0asm\x01\0\0\0"), Problem::CoreModule));
    let nothing = deja_guests::empty_component();
    assert!(matches!(refused(&nothing), Problem::WrongWorld { .. }));
}

#[test]
fn a_keyer_and_its_twin_decide_alike() {
    let folder = Folder::new();
    let file = folder.put("mine", &built("ignore-case-and-space"));
    let inspector = Inspector::new(Limits::default()).expect("the runtime starts");
    let keyer = inspector.keyer(&file, &Value::Null).expect("it is a keyer");
    let twin = keyer.twin().expect("it starts");
    assert_eq!(edits(&keyer), 1);
    assert_eq!(
        keyer.decide(&request("What?")),
        twin.decide(&request("What?"))
    );
    assert!(keyer.memory_bytes() >= 1 << 16, "a page at least");
}
