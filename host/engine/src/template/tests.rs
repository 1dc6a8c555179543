//! Templates in the manner of those that models come with, beside what Python makes of them.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use deja_wire::{Message, Role, ToolCall, ToolChoice};
use serde::Deserialize;

use super::*;

/// By the models in whose manner they are.
const TEMPLATES: [(&str, &str); 8] = [
    ("qwen3", include_str!("examples/qwen3.jinja")),
    ("qwen3_coder", include_str!("examples/qwen3_coder.jinja")),
    ("llama", include_str!("examples/llama.jinja")),
    ("mistral", include_str!("examples/mistral.jinja")),
    ("ministral", include_str!("examples/ministral.jinja")),
    ("hermes", include_str!("examples/hermes.jinja")),
    ("smollm2", include_str!("examples/smollm2.jinja")),
    ("python", include_str!("examples/python.jinja")),
];

fn template(source: &str) -> ChatTemplate {
    let special = SpecialTokens {
        begin: Some("<s>".to_owned()),
        end: Some("</s>".to_owned()),
    };
    ChatTemplate::new(source, &special).expect("parses")
}

fn render(source: &str, contents: &[(Role, &str)]) -> Result<String, EngineError> {
    let messages = contents
        .iter()
        .map(|(role, text)| Message::new(*role, *text));
    template(source).render(&messages.collect::<Vec<_>>().into())
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: Some("Lists, \"quietly\".".to_owned()),
        parameters: json!({
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Where <to> look"},
                "depth": {"type": "integer", "default": null, "enum": [1, 2], "strict": true},
            },
            "required": ["path"],
        }),
        strict: false,
    }
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "ls".to_owned(),
        arguments: arguments.to_owned(),
    }
}

/// Conversations of several turns, with and without tools.
fn conversations() -> Vec<Conversation> {
    let user = |text| Message::new(Role::User, text);
    let plain = vec![
        Message::new(Role::System, " Be brief. "),
        user("Où est Paris ?"),
        Message::new(Role::Assistant, "In <France>."),
        user("Sure?"),
    ];
    let calling = vec![
        user("Look!"),
        Message {
            reasoning: Some("\nhm\n".to_owned()),
            tool_calls: vec![call(
                "call_Abc123456789",
                r#"{"path": "a'b", "depth": 2, "all": true}"#,
            )],
            ..Message::new(Role::Assistant, "")
        },
        Message {
            tool_call_id: Some("call_Abc123456789".to_owned()),
            name: Some("ls".to_owned()),
            ..Message::new(Role::Tool, "src")
        },
    ];
    let mut parallel = calling.clone();
    parallel[1].tool_calls.push(call("toolu_2", "{}"));
    parallel[1].content = "Twice.".to_owned();
    parallel.insert(3, parallel[2].clone());
    parallel.extend([Message::new(Role::Assistant, "Done."), user("And?")]);
    let with_tools = |messages: Vec<Message>| Conversation {
        tools: vec![tool("ls"), tool("cat")],
        ..messages.into()
    };
    let mut quick = with_tools(plain.clone());
    quick
        .template_arguments
        .insert("enable_thinking".to_owned(), false.into());
    vec![
        plain.into(),
        with_tools(calling),
        with_tools(parallel),
        quick,
        vec![Message::new(Role::Assistant, "I begin."), user("?")].into(),
    ]
}

/// What Python makes of a conversation.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Rendered {
    Text(String),
    Error(String),
}

/// Renders the cases with `transformers`, in one process.
fn with_python(cases: &[serde_json::Value]) -> Vec<Rendered> {
    let Some(python) = std::env::var_os("DEJA_PYTHON") else {
        panic!("DEJA_PYTHON is not set: run `cargo xtask test`");
    };
    let mut child = Command::new(python)
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/template/reference.py"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("is piped");
    for case in cases {
        writeln!(input, "{case}").expect("Python reads");
    }
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "{}", output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let texts = lines.filter(|line| !line.is_empty());
    texts
        .map(|line| serde_json::from_slice(line).expect("is a case"))
        .collect()
}

#[test]
fn templates_render_as_in_python() {
    let (mut cases, mut ours) = (Vec::new(), Vec::new());
    for (name, source) in TEMPLATES {
        let template = template(source);
        for conversation in conversations() {
            ours.push((name, template.render(&conversation)));
            let shown = if template.knows_tools {
                conversation
            } else {
                taught_tools::taught(&conversation)
            };
            let tools = offers_tools(&shown).then(|| tools(&shown.tools));
            cases.push(json!({
                "template": source,
                "messages": messages::messages(&shown.messages, template.style),
                "tools": tools.filter(|_| template.knows_tools),
                "arguments": shown.template_arguments,
            }));
        }
    }
    let theirs = with_python(&cases);
    assert_eq!(theirs.len(), ours.len());
    for ((name, ours), theirs) in ours.into_iter().zip(theirs) {
        let ours = match ours {
            Ok(text) => Rendered::Text(text),
            Err(EngineError::Template { reason }) => Rendered::Error(reason),
            Err(other) => panic!("{name}: {other}"),
        };
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn python_methods_and_block_trimming_work() {
    let template = "{{ bos_token }}\n{% for message in messages %}\n    {%- if message['content'].startswith('a') %}\n[{{ message['role'].upper() }} {{ message.content.strip() }}]{{ eos_token }}\n    {%- endif %}\n{% endfor %}\n";
    let text = render(template, &[(Role::User, "a b "), (Role::Assistant, "no")]);
    assert_eq!(text.expect("renders"), "<s>\n[USER a b]</s>");
}

#[test]
fn json_is_as_python_writes_it() {
    let text = render("{{ {'b': [1, '<é>'], 'a': none} | tojson }}", &[]).expect("renders");
    assert_eq!(text, r#"{"b": [1, "<é>"], "a": null}"#);
}

#[test]
fn an_exception_is_told_as_it_is() {
    let error = render("{{ raise_exception('roles must alternate') }}", &[]);
    let reason = "roles must alternate".to_owned();
    assert_eq!(error, Err(EngineError::Template { reason }));
}

#[test]
fn arguments_of_the_request_reach_the_template_and_replace_nothing() {
    let mut conversation: Conversation = vec![Message::new(Role::User, "hi")].into();
    for name in ["mood", "messages"] {
        let argument = (name.to_owned(), json!("good"));
        conversation.template_arguments.extend([argument]);
    }
    let template = template("{{ mood }} {{ messages[0].content }}");
    assert_eq!(template.render(&conversation).expect("renders"), "good hi");
}

#[test]
fn a_template_without_tools_is_taught_them() {
    let [_, calling, ..] = &conversations()[..] else {
        panic!("there are several");
    };
    let (_, source) = TEMPLATES[6];
    let text = template(source).render(calling).expect("renders");
    assert!(
        text.starts_with("<|im_start|>system\nYou may call"),
        "{text}"
    );
    for part in [
        "{\"type\":\"function\",\"function\":{\"name\":\"cat\"",
        "<|im_start|>assistant\n<tool_call>\n{\"name\":\"ls\",\"arguments\":{\"path\":\"a'b\"",
        "<|im_start|>user\n<tool_response>\nsrc\n</tool_response><|im_end|>",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn tools_that_must_not_be_called_are_not_offered() {
    let [_, calling, ..] = &conversations()[..] else {
        panic!("there are several");
    };
    let (_, source) = TEMPLATES[0];
    let mut unwanted = calling.clone();
    unwanted.tool_choice = ToolChoice::None;
    let text = template(source).render(&unwanted).expect("renders");
    assert!(!text.contains("<tools>"), "{text}");
}

#[test]
fn a_template_without_an_end_is_refused() {
    let nested = "{% for a in range(100000) %}".repeat(3) + &"{% endfor %}".repeat(3);
    let doubling = "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}";
    for endless in [nested.as_str(), doubling] {
        let error = render(endless, &[]).expect_err("it is refused");
        assert!(matches!(error, EngineError::Template { .. }), "{error}");
    }
    let error = render(&nested, &[]).expect_err("it is refused").to_string();
    assert!(error.contains("10000000 instructions"), "{error}");
}

#[test]
fn json_is_not_indented_without_a_limit() {
    let rendered = |width: &str| render(&format!("{{{{ [1]|tojson(indent={width}) }}}}"), &[]);
    assert_eq!(rendered("2").as_deref(), Ok("[\n  1\n]"));
    assert!(rendered("65").is_err());
    assert!(rendered("9223372036854775807").is_err());
}
