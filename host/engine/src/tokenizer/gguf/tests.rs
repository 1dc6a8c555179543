//! Tokenisers of files beside Python's `sentencepiece`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::*;
use crate::text::TextStream;

/// A vocabulary that `sentencepiece` has learned.
#[derive(Deserialize)]
struct Reference {
    path: PathBuf,
    texts: Vec<Text>,
}

/// What it makes of a text.
#[derive(Deserialize)]
struct Text {
    text: String,
    /// With those around it.
    tokens: Vec<u32>,
    decoded: String,
}

/// Trains small models, and writes their vocabularies into the folder.
fn references(folder: &Path) -> Vec<Reference> {
    let Some(python) = std::env::var_os("DEJA_PYTHON") else {
        panic!("DEJA_PYTHON is not set: run `cargo xtask test`");
    };
    let package = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(python)
        .args([
            "-B",
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/tokenizer/gguf/reference.py"
            ),
        ])
        .arg(folder)
        .env("PYTHONPATH", format!("{package}/tests/engine"))
        .output()
        .expect("Python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "reference.py fails: {errors}");
    serde_json::from_slice(&output.stdout).expect("are references")
}

fn read(path: &Path) -> Tokenizer {
    let metadata = Metadata::read(path).expect("is sound");
    let vocabulary = Vocabulary::read(&metadata).expect("is sound");
    vocabulary.tokenizer(&metadata).expect("is supported")
}

/// The text of tokens that come one by one.
fn stream(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut stream = TextStream::new(tokenizer, &[]);
    tokens
        .iter()
        .map(|token| stream.push(*token).text)
        .collect()
}

#[test]
fn texts_are_encoded_and_decoded_as_by_sentencepiece() {
    let folder = tempfile::tempdir().expect("makes a folder");
    for reference in references(folder.path()) {
        let tokenizer = read(&reference.path);
        assert!(reference.texts.len() > 1000, "texts are missing");
        for Text {
            text,
            tokens,
            decoded,
        } in reference.texts
        {
            let path = reference.path.display();
            let ours = tokenizer.encode_whole(&text).expect("encodes");
            assert_eq!(ours, tokens, "{text:?} with {path}");
            assert_eq!(stream(&tokenizer, &tokens), decoded, "{text:?} with {path}");
        }
    }
}

#[test]
fn names_of_control_tokens_are_those_tokens_and_of_bytes_are_text() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let references = references(folder.path());
    let tokenizer = read(&references[0].path);
    let encode = |text| tokenizer.encode(text).expect("encodes");
    let id = |name| tokenizer.id(name).expect("is a token");
    // A space comes before each part of a text, as in `llama.cpp` and Hugging Face's tokenisers.
    let part = encode("the");
    let whole = [vec![id("<s>")], part.clone(), vec![id("</s>")], part].concat();
    assert_eq!(encode("<s>the</s>the"), whole);
    assert!(!encode("<0x0A>").contains(&id("<0x0A>")));
}
