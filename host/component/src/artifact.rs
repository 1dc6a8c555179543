//! Runs cargo and reads what it says.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::BuildError;

/// Something that cargo made, now or before.
#[derive(Clone, Debug)]
pub struct Artifact {
    kinds: Vec<String>,
    /// The target's name.
    pub name: String,
    files: Vec<PathBuf>,
}

impl Artifact {
    /// The file of a target of this kind, such as `bin` or `cdylib`, with this extension.
    #[must_use]
    pub fn file(&self, kind: &str, extension: &str) -> Option<&PathBuf> {
        let of_kind = self.kinds.iter().any(|own| own == kind);
        let has_extension = |file: &&PathBuf| file.extension().unwrap_or_default() == extension;
        self.files.iter().find(has_extension).filter(|_| of_kind)
    }
}

/// Runs a build; the user sees cargo's own progress.
pub fn build(command: &mut Command) -> Result<Vec<Artifact>, BuildError> {
    command.arg("--message-format=json-render-diagnostics");
    let program = command.get_program().to_string_lossy().into_owned();
    let fails = |source| BuildError::Start {
        program: program.clone(),
        source,
    };
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(fails)?;
    let mut artifacts = Vec::new();
    if let Some(messages) = child.stdout.take() {
        for message in BufReader::new(messages).lines() {
            artifacts.extend(artifact(&message.map_err(fails)?)?);
        }
    }
    let status = child.wait().map_err(fails)?;
    if !status.success() {
        return Err(BuildError::Failed { program, status });
    }
    Ok(artifacts)
}

/// What a message of cargo tells of a finished target, if anything. Test programs, which have the
/// name and kind of what they test, are passed over.
fn artifact(message: &str) -> Result<Option<Artifact>, BuildError> {
    let message: Value = serde_json::from_str(message).map_err(BuildError::Message)?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] == true {
        return Ok(None);
    }
    let target = &message["target"];
    Ok(Some(Artifact {
        kinds: strings(&target["kind"]),
        name: target["name"].as_str().unwrap_or_default().to_owned(),
        files: strings(&message["filenames"])
            .into_iter()
            .map(PathBuf::from)
            .collect(),
    }))
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"reason":"compiler-artifact","target":{"kind":["cdylib"],
        "name":"ignore_case"},"filenames":["/t/libignore_case.rlib","/t/ignore_case.wasm"]}"#;

    #[test]
    fn an_artifact_is_found_by_kind_and_extension() {
        let artifact = artifact(MESSAGE)
            .expect("it is JSON")
            .expect("it is an artifact");
        assert_eq!(
            artifact.file("cdylib", "wasm"),
            Some(&"/t/ignore_case.wasm".into())
        );
        assert_eq!(artifact.file("bin", "wasm"), None);
        assert_eq!(artifact.file("cdylib", "so"), None);
    }

    #[test]
    fn other_messages_are_passed_over() {
        let message = r#"{"reason":"build-finished","success":true}"#;
        assert!(artifact(message).expect("it is JSON").is_none());
    }
}
