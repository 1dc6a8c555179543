//! Programs that run to their end.

use std::path::Path;

use tokio::process::Command;

use crate::required;

/// What a program prints that must succeed.
pub async fn printed(command: &mut Command) -> String {
    let output = command.output().await.expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The server's binary with a command that runs to its end in this folder.
#[must_use]
pub fn deja_command(arguments: &[&str], folder: &Path) -> Command {
    let mut deja = Command::new(required("DEJA_BIN"));
    deja.args(arguments).current_dir(folder);
    deja
}
