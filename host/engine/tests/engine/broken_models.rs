//! Files that are no models: one clear error each, and no crash.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use deja_engine::{Engine, EngineError, LanguageModel, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{model, worker};

fn load(path: &Path) -> EngineError {
    match LanguageModel::load(path, None) {
        Ok(_) => panic!("{} loads", path.display()),
        Err(error) => error,
    }
}

/// Asserts that loading fails on `file`, for a reason that contains these words.
fn assert_broken(path: &Path, file: &Path, words: &str) {
    match load(path) {
        EngineError::ModelBroken {
            path: named,
            reason,
        } => {
            assert_eq!(named, file, "{reason}");
            assert!(reason.contains(words), "{reason:?} does not say {words:?}");
        }
        other => panic!("{}: {other}", path.display()),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("makes a folder")
}

fn write(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("writes");
    path
}

#[tokio::test]
async fn a_missing_model_is_told_through_the_worker() {
    let path = PathBuf::from("/no/such/model.gguf");
    let error = Engine::start(Settings::new(&path, worker()))
        .await
        .expect_err("is missing");
    assert_eq!(
        error.to_string(),
        "there is no model at /no/such/model.gguf"
    );
    assert_eq!(error, EngineError::ModelNotFound { path });
}

#[test]
fn a_gguf_file_that_is_cut_short_is_broken() {
    let (folder, whole) = (folder(), fs::read(model()).expect("reads"));
    let cuts = [
        (0, "does not begin like"),
        (3, "does not begin like"),
        (10, "in the middle of its header"),
        (1_000, "in the middle of its header"),
        (1_000_000, "in the middle of its header"),
        (whole.len() / 2, "bytes too short"),
        (whole.len() - 1, "bytes too short"),
    ];
    for (length, words) in cuts {
        let path = write(&folder, "cut.gguf", &whole[..length]);
        assert_broken(&path, &path, words);
    }
}

#[test]
fn a_file_of_another_kind_is_told_apart() {
    let folder = folder();
    let text = write(
        &folder,
        "text.gguf",
        b"This is a text, and no model at all.",
    );
    assert_broken(&text, &text, "does not begin like a GGUF file");
    let other = write(&folder, "model.bin", b"GGUF");
    assert!(matches!(load(&other), EngineError::UnsupportedModel { .. }));
    let empty = folder.path();
    assert_broken(empty, &empty.join("config.json"), "it is missing");
}

/// A GGUF file of nothing but this metadata.
fn gguf(metadata: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let mut file = [&b"GGUF"[..], &3u32.to_le_bytes(), &0u64.to_le_bytes()].concat();
    file.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        file.extend([text(key), 8u32.to_le_bytes().to_vec(), text(value)].concat());
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file
}

#[test]
fn a_gguf_file_of_another_architecture_is_not_supported() {
    let folder = folder();
    let path = write(
        &folder,
        "mamba.gguf",
        &gguf(&[("general.architecture", "mamba")]),
    );
    let reason = "its architecture is mamba".to_owned();
    assert_eq!(load(&path), EngineError::UnsupportedModel { path, reason });
    let path = write(&folder, "empty.gguf", &gguf(&[]));
    assert_broken(&path, &path, "`general.architecture` is missing");
}

/// A folder with a Llama model of one layer, without weights.
fn tiny_folder() -> TempDir {
    let folder = folder();
    write(&folder, "config.json", tiny_config().to_string().as_bytes());
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
    });
    write(&folder, "tokenizer.json", tokenizer.to_string().as_bytes());
    let tokenizer_config = json!({"chat_template": "{{ messages[0].content }}", "eos_token": "b"});
    write(
        &folder,
        "tokenizer_config.json",
        tokenizer_config.to_string().as_bytes(),
    );
    folder
}

fn tiny_config() -> Value {
    json!({
        "model_type": "llama", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "vocab_size": 2,
        "max_position_embeddings": 64, "tie_word_embeddings": true,
    })
}

/// A safetensors file of one embedding.
fn safetensors() -> Vec<u8> {
    let header = json!({
        "model.embed_tokens.weight": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]},
    })
    .to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend([0; 64]);
    file
}

#[test]
fn a_safetensors_file_that_is_cut_short_is_broken() {
    let (folder, whole) = (tiny_folder(), safetensors());
    let path = folder.path().join("model.safetensors");
    assert_broken(folder.path(), &path, "it is missing");
    for (length, words) in [
        (0, "cut short"),
        (7, "cut short"),
        (20, "in the middle of its header"),
        (whole.len() - 64, "bytes, not"),
        (whole.len() - 1, "bytes, not"),
    ] {
        write(&folder, "model.safetensors", &whole[..length]);
        assert_broken(folder.path(), &path, words);
    }
    write(
        &folder,
        "model.safetensors",
        b"This is a text, and no tensor at all.",
    );
    assert_broken(
        folder.path(),
        &path,
        "does not begin like a safetensors file",
    );
    write(&folder, "model.safetensors", &whole);
    assert_broken(folder.path(), folder.path(), "the tensor `model.layers.0.");
}

#[test]
fn a_missing_shard_is_named() {
    let folder = tiny_folder();
    let index = json!({"weight_map": {"model.embed_tokens.weight": "model-1.safetensors"}});
    write(
        &folder,
        "model.safetensors.index.json",
        index.to_string().as_bytes(),
    );
    assert_broken(
        folder.path(),
        &folder.path().join("model-1.safetensors"),
        "it is missing",
    );
}

#[test]
fn a_configuration_that_lacks_a_field_or_does_not_fit_is_broken() {
    let folder = tiny_folder();
    let path = folder.path().join("config.json");
    let changed = |key: &str, value: Value| {
        let mut config = tiny_config();
        config[key] = value;
        let mut file = File::create(&path).expect("creates");
        file.write_all(config.to_string().as_bytes())
            .expect("writes");
    };
    for key in [
        "hidden_size",
        "num_hidden_layers",
        "vocab_size",
        "rms_norm_eps",
    ] {
        changed(key, Value::Null);
        assert_broken(folder.path(), &path, "invalid type: null");
        let mut config = tiny_config();
        config.as_object_mut().expect("is an object").remove(key);
        fs::write(&path, config.to_string()).expect("writes");
        assert_broken(folder.path(), &path, &format!("missing field `{key}`"));
    }
    for (key, value) in [
        ("num_attention_heads", json!(0)),
        ("hidden_size", json!(-8)),
        ("num_key_value_heads", json!(3)),
    ] {
        changed(key, value);
        assert_broken(folder.path(), &path, "its");
    }
    for (key, value) in [
        ("model_type", json!("mamba")),
        ("rope_scaling", json!({"rope_type": "longrope"})),
        (
            "quantization",
            json!({"bits": 4, "group_size": 32, "mode": "mxfp4"}),
        ),
        (
            "quantization_config",
            json!({"quant_method": "gptq", "bits": 4}),
        ),
    ] {
        changed(key, value);
        assert!(
            matches!(load(folder.path()), EngineError::UnsupportedModel { .. }),
            "{key}"
        );
    }
}
