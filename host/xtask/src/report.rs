//! What the user reads while something is made.

use std::fmt;
use std::time::Instant;

use anyhow::{Context as _, Error, Result};

/// What the user can do about a failure: a context of the error that is printed last.
#[derive(Debug)]
pub(crate) struct Remedy(pub(crate) String);

impl Remedy {
    /// A remedy that is known beforehand.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Says what is done and why, does it, and says how long it took.
pub(crate) fn step<T>(what: &str, why: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("{what}: {why} …");
    let start = Instant::now();
    let product = work().with_context(|| format!("the step \"{what}\" failed"))?;
    eprintln!("{what}: done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(product)
}

/// Says what goes on working, but worse than it could.
pub(crate) fn warn(text: &str) {
    eprintln!("warning: {text}");
}

/// What failed, why, and what to do, as the user reads it.
pub(crate) fn explain(error: &Error) -> String {
    let remedy = match error.downcast_ref::<Remedy>() {
        Some(Remedy(text)) => text,
        None => "mend this and run the command again; what is done already is kept",
    };
    let reasons = error.chain().map(ToString::to_string);
    let reasons: Vec<_> = reasons.filter(|reason| reason != remedy).collect();
    format!("error: {}\nto do: {remedy}", reasons.join("\n  because: "))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_error_ends_with_what_to_do() {
        let outcome: Result<()> = step("model", "fetching it", || {
            Err(anyhow!("no route to host")).context(Remedy::new("plug the cable in"))
        });
        assert_eq!(
            explain(&outcome.unwrap_err()),
            "error: the step \"model\" failed\n  because: no route to host\nto do: plug the cable in"
        );
    }

    #[test]
    fn an_error_without_a_remedy_has_the_common_one() {
        assert!(explain(&anyhow!("the disk is full")).ends_with("done already is kept"));
    }
}
