//! The same numbers as Python's `mlx_lm`, from the same GGUF file.

use std::{fs, path::Path, process::Command};

use deja_engine::{LanguageModel, Step};
use deja_wire::{Message, Prompt, Role, Sampling};
use serde::Deserialize;
use serde_json::json;

use crate::support::{model, python};

/// Greedy tokens compared for each conversation.
const LENGTH: u32 = 64;

const CODE: &str = "Explain this function:\n\n```python\ndef fibonacci(n: int) -> int:\n    a, b = 0, 1\n\tfor _ in range(n):  # 1_000\n        a, b = b, a + b\n    return a\n```\n";

/// What tokenisers get wrong.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "Hello, world!",
    "two  spaces,   three\n\n\n    lines\t\ttabs\r\n ",
    "1234567890 3.14159 -1e10 ١٢٣ ½ ² Ⅷ 2026-11-24T02:40:59Z",
    "I'll don't we've IT'S 'quoted' \"double\" `code`",
    "naïve café Straße Ελλάδα Москва ไทย हिन्दी العربية",
    "日本語のテキスト 中文文本 한국어",
    "🦀🐍👩‍👩‍👧‍👦🇫🇷 e\u{301} \u{200b}\u{feff}\u{a0}x",
    "fn main() { let x: Vec<u8> = vec![0; 1 << 10]; println!(\"{x:?}\"); } // ->=>",
    "<|im_start|>user\nspecial <|im_end|> in text <|endoftext|> and <|im_st art|>",
    "\0\u{1}\u{7f}\u{fffd}\u{10ffff}",
];

#[derive(Deserialize)]
struct Reference {
    conversations: Vec<Continuation>,
    texts: Vec<Vec<u32>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Continuation {
    prompt: Vec<u32>,
    tokens: Vec<u32>,
}

fn conversations() -> [Vec<Message>; 5] {
    let user = |content: &str| Message::new(Role::User, content);
    let long = "The quick brown fox jumps over the lazy dog while 42 cats watch. ".repeat(38);
    [
        vec![user("Write a short story about a lighthouse keeper.")],
        vec![user(&format!("Summarize the following text.\n\n{long}"))],
        vec![user(
            "Übersetze ins Englische: „Die Größe des Flußes“ — 日本語 🦀 naïve",
        )],
        vec![user(CODE)],
        vec![
            Message::new(Role::System, "You are a pirate. You answer at length."),
            user("Who are you?"),
            Message::new(Role::Assistant, "Arr, I be Captain Blackbeard!"),
            user("Where do you sail?"),
        ],
    ]
}

#[test]
fn tokens_are_those_of_mlx_lm() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("makes a folder");
    let converted = folder.path().join("SmolLM2-135M-Instruct");
    let reference = reference(folder.path(), &converted);
    assert!(
        reference.conversations[1].prompt.len() > 600,
        "the long prompt is too short"
    );
    for path in [model(), converted] {
        let model = LanguageModel::load(&path, None).expect("loads");
        for (text, expected) in TEXTS.iter().zip(&reference.texts) {
            let prompt = Prompt::Text((*text).to_owned());
            let tokens = model.prompt(&prompt).expect("tokenises");
            assert_eq!(&tokens, expected, "{text:?} by {}", path.display());
        }
        for (messages, expected) in conversations().iter().zip(&reference.conversations) {
            let ours = continuation(&model, messages);
            assert_eq!(&ours, expected, "{messages:?} by {}", path.display());
        }
    }
}

/// What `mlx_lm` makes of the conversations and texts. It writes the model into `converted`.
fn reference(folder: &Path, converted: &Path) -> Reference {
    let (questions, answers) = (folder.join("questions.json"), folder.join("answers.json"));
    let content =
        json!({ "conversations": conversations(), "texts": TEXTS, "length": LENGTH }).to_string();
    fs::write(&questions, content).expect("writes");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/reference.py");
    let status = Command::new(python())
        .arg(script)
        .args([&model(), converted, &questions, &answers] as [&Path; 4])
        .status()
        .expect("Python starts");
    assert!(status.success(), "reference.py fails: {status}");
    serde_json::from_slice(&fs::read(answers).expect("reads")).expect("is a reference")
}

fn continuation(model: &LanguageModel, messages: &[Message]) -> Continuation {
    let conversation = Prompt::Conversation(messages.to_vec().into());
    let prompt = model.prompt(&conversation).expect("has a prompt");
    let greedy = Sampling::greedy();
    let mut stream = model
        .tokens(prompt.clone(), &greedy, Some(LENGTH))
        .expect("starts");
    let mut tokens = Vec::new();
    loop {
        match stream.step().expect("computes") {
            Step::Prefilled => {}
            Step::Token(token) => tokens.push(token),
            Step::Exhausted => return Continuation { prompt, tokens },
        }
    }
}
