//! What a model is given to continue.

use std::{fs, path::PathBuf};

use deja_engine::{EngineError, LanguageModel};
use deja_wire::{ChatRequest, Prompt};
use tempfile::TempDir;

use crate::support::{answer, model, request, start};

fn text(text: &str) -> Prompt {
    Prompt::Text(text.to_owned())
}

#[tokio::test]
async fn a_text_is_continued_as_it_is() {
    let engine = start().await;
    let completion = ChatRequest {
        prompt: text("The capital of France is"),
        max_tokens: Some(3),
        ..request("")
    };
    let answer = answer(&engine, completion).await.expect("answers");
    assert_eq!(answer.text(), " Paris.\n");
    // No chat template has added any.
    assert_eq!(answer.usage.prompt_tokens, 5);
}

#[tokio::test]
async fn a_prompt_without_tokens_is_refused() {
    let engine = start().await;
    let empty = ChatRequest {
        prompt: text(""),
        ..request("")
    };
    let error = answer(&engine, empty).await.expect_err("is empty");
    assert!(matches!(error, EngineError::Generation { .. }), "{error}");
}

/// The model, changed so that it wants each text to begin with its token 1.
fn model_with_begin_token(folder: &TempDir) -> PathBuf {
    const KEY: &[u8] = b"tokenizer.ggml.add_bos_token";
    /// GGUF's number for the type of booleans comes between a key and its value.
    const TYPE_BYTES: usize = 4;
    let mut file = fs::read(model()).expect("reads");
    let key = file.windows(KEY.len()).position(|bytes| bytes == KEY);
    let value = key.expect("has the key") + KEY.len() + TYPE_BYTES;
    assert_eq!(file[value], 0, "the model wants the token already");
    file[value] = 1;
    let path = folder.path().join("begin.gguf");
    fs::write(&path, file).expect("writes");
    path
}

#[test]
fn a_text_begins_with_the_token_that_its_model_wants() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("makes a folder");
    let without = LanguageModel::load(&model(), None).expect("loads");
    let with = LanguageModel::load(&model_with_begin_token(&folder), None).expect("loads");
    let tokens = |model: &LanguageModel, prompt| model.prompt(&prompt).expect("has tokens");
    let plain = tokens(&without, text("Hello"));
    assert_eq!(tokens(&with, text("Hello")), [&[1], &plain[..]].concat());
    // The chat template names the token itself.
    let conversation = request("Hello").prompt;
    assert_eq!(
        tokens(&with, conversation.clone()),
        tokens(&without, conversation)
    );
}
