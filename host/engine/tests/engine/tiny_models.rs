//! Each architecture, in each form of its weights, computes what Python's `mlx_lm` does: tiny models
//! with random weights and the real structure.

use std::{fs, path::PathBuf, process::Command};

use deja_engine::LanguageModel;
use serde::Deserialize;

use crate::support::python;

/// The largest difference of a logit, in parts of the largest logit.
///
/// Both sides compute in 32 bits, and those alone are off by up to 4e-5 from the same model in 64:
/// where attention is sharp, what was rounded grows from layer to layer. Unpacked weights come out
/// bit for bit as in `mlx_lm` where both sum in one order. What is done wrong, like a window that is
/// one position too wide or a missing factor of `YaRN`, makes more than 1e-3.
const TOLERANCE: f32 = 1e-4;

/// GPUs compute weights of 16 bits in 16 bits, of which 8 (`bfloat16`) are the number's.
const GPU_TOLERANCE: f32 = 5e-2;

#[derive(Deserialize)]
struct References {
    tokens: Vec<u32>,
    models: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    path: PathBuf,
    /// After each token.
    logits: Vec<Vec<f32>>,
}

#[test]
fn logits_are_those_of_mlx_lm() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("makes a folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/tiny_models.py");
    let output = Command::new(python())
        .args([script.as_ref(), folder.path()])
        .output()
        .expect("Python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tiny_models.py fails: {errors}");
    let file = fs::read(folder.path().join("references.json")).expect("reads");
    let references: References = serde_json::from_slice(&file).expect("is sound");
    assert!(references.models.len() > 20, "models are missing");
    for reference in &references.models {
        // All at once, and over a KV cache: in parts that a window ends in, and one by one.
        for chunk in [references.tokens.len(), 23, 1] {
            let difference = difference(reference, &references.tokens, chunk);
            assert!(
                difference <= tolerance(),
                "{} in chunks of {chunk} is off by {difference:e}",
                reference.name
            );
        }
    }
}

fn tolerance() -> f32 {
    if cfg!(target_os = "macos") {
        GPU_TOLERANCE
    } else {
        TOLERANCE
    }
}

/// The largest difference, in parts of the largest logit.
fn difference(reference: &Reference, tokens: &[u32], chunk: usize) -> f32 {
    let model = LanguageModel::load(&reference.path, None).expect("loads");
    let ours = model.logits(tokens, chunk).expect("computes").concat();
    let theirs = reference.logits.concat();
    assert_eq!(ours.len(), theirs.len(), "{}", reference.name);
    let largest = theirs
        .iter()
        .fold(0.0, |largest: f32, value| largest.max(value.abs()));
    let differences = ours
        .iter()
        .zip(&theirs)
        .map(|(ours, theirs)| (ours - theirs).abs());
    // What is no number is the largest in this order; `f32::max` would pass over it.
    let worst = differences.max_by(f32::total_cmp).expect("has logits");
    worst / largest
}
