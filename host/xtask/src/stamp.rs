//! Notes of what was made from which inputs, so that it is made again only when they change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::paths;

/// The note about one product.
pub(crate) struct Stamp {
    file: PathBuf,
    inputs: String,
}

impl Stamp {
    /// The note that a product was made from these inputs.
    pub(crate) fn new(name: &str, inputs: &[&str]) -> Self {
        Self::within(&paths::home().join("stamps"), name, inputs)
    }

    fn within(folder: &Path, name: &str, inputs: &[&str]) -> Self {
        Self {
            file: folder.join(name),
            inputs: digest(inputs),
        }
    }

    /// The digest of the inputs.
    pub(crate) fn inputs(&self) -> &str {
        &self.inputs
    }

    /// Makes the products unless they are there already, from the same inputs. The note is taken
    /// away before the work starts, so that work which was broken off is done again.
    pub(crate) fn ensure(
        &self,
        products: &[&Path],
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let noted = fs::read_to_string(&self.file).unwrap_or_default();
        if noted == self.inputs && products.iter().all(|product| product.exists()) {
            return Ok(());
        }
        self.forget()?;
        work()?;
        if let Some(absent) = products.iter().find(|product| !product.exists()) {
            bail!("{} should have been made, and was not", absent.display());
        }
        self.note()
    }

    fn forget(&self) -> Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", self.file.display()))
            }
            _ => Ok(()),
        }
    }

    fn note(&self) -> Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.file, &self.inputs))
            .with_context(|| format!("{} cannot be written", self.file.display()))
    }
}

/// A digest that also tells where one input ends and the next begins.
fn digest(inputs: &[&str]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update((input.len() as u64).to_le_bytes());
        hash.update(input);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_made_again_when_it_or_its_inputs_change() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let product = folder.path().join("product");
        let mut made = 0;
        let mut ensure = |input: &str| {
            let stamp = Stamp::within(folder.path(), "stamp", &[input]);
            stamp
                .ensure(&[&product], || {
                    made += 1;
                    Ok(fs::write(&product, input)?)
                })
                .expect("the work succeeds");
            made
        };
        assert_eq!(ensure("a"), 1);
        assert_eq!(ensure("a"), 1);
        assert_eq!(ensure("b"), 2);
        fs::remove_file(&product).expect("it was made");
        assert_eq!(ensure("b"), 3);
    }

    #[test]
    fn broken_off_work_is_not_noted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let product = folder.path().join("product");
        let stamp = Stamp::within(folder.path(), "stamp", &["a"]);
        let broken_off = || {
            fs::write(&product, "half")?;
            bail!("killed")
        };
        stamp.ensure(&[&product], broken_off).unwrap_err();
        let mut again = false;
        let whole = || {
            again = true;
            Ok(())
        };
        stamp.ensure(&[&product], whole).expect("the work succeeds");
        assert!(again);
    }

    #[test]
    fn work_without_its_product_fails() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stamp = Stamp::within(folder.path(), "stamp", &["a"]);
        let absent = folder.path().join("absent");
        let error = stamp.ensure(&[&absent], || Ok(())).unwrap_err();
        assert!(error.to_string().contains("absent should have been made"));
    }

    #[test]
    fn inputs_do_not_run_together() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
