//! `deja plugin check`: what a component is, and whether a server would load it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use clap::Args;
use deja_policy::{Inspection, Inspector, Limits};
use serde_json::Value;

use super::settings::Settings;

/// The component to look at.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The component's file.
    file: PathBuf,
    /// The plugin's settings: a JSON object, or a file with one in JSON or TOML.
    #[arg(long, value_name = "JSON|FILE")]
    config: Option<Settings>,
}

/// Prints what it is. What would not be loaded is an error.
#[allow(clippy::print_stdout, reason = "this is the edge")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = arguments.config.clone().unwrap_or_default().0;
    let file = &arguments.file;
    let inspection = Inspector::new(Limits::default())?
        .inspect(file, &config)
        .with_context(|| refused(file))?;
    print!("{}", in_words(&inspection, &config));
    inspection
        .outcome
        .map_err(|problem| anyhow!(problem).context(refused(file)))
}

fn refused(file: &Path) -> String {
    format!("no server would load {}", file.display())
}

fn in_words(inspection: &Inspection, config: &Value) -> String {
    let Inspection {
        kind,
        bytes,
        name,
        version,
        summary,
        ..
    } = inspection;
    let settings = if config.is_null() {
        "{}"
    } else {
        &config.to_string()
    };
    let outcome = match &inspection.outcome {
        Ok(()) => "accepted",
        Err(_) => "refused",
    };
    format!(
        "{name} {version}: {summary}\n\
         kind      {kind}\n\
         size      {bytes} bytes\n\
         exports   {}\n\
         imports   {}\n\
         settings  {settings}: {outcome}\n\
         {}",
        inspection.exports.join("\n          "),
        inspection.imports.join("\n          "),
        schema(&inspection.config_schema)
    )
}

/// A line for each setting, or the whole schema where it has another form.
fn schema(schema: &str) -> String {
    let parsed: Value = serde_json::from_str(schema).unwrap_or_default();
    let Some(properties) = parsed["properties"].as_object() else {
        return format!("schema    {schema}\n");
    };
    let mut lines = String::new();
    for (name, property) in properties {
        let text = |field: &str| property[field].as_str().unwrap_or_default();
        let _ = writeln!(lines, "  {name}  {}  {}", text("type"), text("description"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_told_setting_by_setting() {
        let words = schema(
            r#"{"properties": {"fold": {"type": "boolean", "description": "Whether."}, "x": {}}}"#,
        );
        assert_eq!(words, "  fold  boolean  Whether.\n  x    \n");
        assert_eq!(schema("true"), "schema    true\n");
    }
}
